const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** "1.5 GiB" out of bytes; three digits at most, so that columns stay narrow. */
export function bytes(n: number): string {
  let unit = 0
  let value = n
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 || value >= 100 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

export const mebibytes = (n: number): string => bytes(n * 2 ** 20)
export const gibibytes = (n: number): string => bytes(n * 2 ** 30)

export const percent = (share: number): string => `${Math.round(Math.min(Math.max(share, 0), 1) * 100)} %`

const relative = new Intl.RelativeTimeFormat('en', {
  numeric: 'auto',
  style: 'short',
})
const steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ['second', 60],
  ['minute', 60],
  ['hour', 24],
  ['day', 30],
  ['month', 12],
  ['year', Number.POSITIVE_INFINITY],
]

/** "5 min. ago". now and then are milliseconds. */
export function ago(then: number, now: number): string {
  let value = (then - now) / 1000
  if (Math.abs(value) < 5) return 'just now'
  for (const [unit, size] of steps) {
    if (Math.abs(value) < size) return relative.format(Math.round(value), unit)
    value /= size
  }
  return ''
}

const full = new Intl.DateTimeFormat('en-GB', {
  dateStyle: 'medium',
  timeStyle: 'medium',
})
const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' })
export const absolute = (then: number): string => full.format(then)
export const timeOfDay = (then: number): string => clock.format(then)

/** "2 m 5 s" out of milliseconds. */
export function duration(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000))
  if (s < 60) return `${s} s`
  if (s < 3600) return `${Math.floor(s / 60)} m ${s % 60} s`
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} m`
}

/** Mebibytes out of what people type: "16 GiB", "512M", "2g"; a bare number is taken in the unit that is named. null: no size. */
export function parseMebibytes(typed: string, bare: 'MiB' | 'GiB' = 'MiB'): number | null {
  const match = /^\s*(\d+(?:[.,]\d+)?)\s*(?:([kmgt])(?:i?b)?)?\s*$/i.exec(typed)
  if (!match) return null
  const unit = match[2]?.toLowerCase() ?? (bare === 'GiB' ? 'g' : 'm')
  const factor = { k: 1 / 1024, m: 1, g: 1024, t: 1024 * 1024 }[unit as 'k' | 'm' | 'g' | 't']
  const value = Number((match[1] ?? '').replace(',', '.')) * factor
  return Number.isInteger(value) ? value : null
}
