/** What an audit record tells: the values that were changed, and plain facts. */
export type Told = {
  changed: { name: string; before: string; after: string }[]
  facts: { name: string; value: string }[]
}

const record = (value: unknown): Record<string, unknown> | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined

/** {"quota":{"vms":3}} as "quota.vms" → "3". Lists stay whole: their order means something. */
function flat(value: unknown, name = ''): Map<string, string> {
  const fields = record(value)
  if (!fields) return new Map(name ? [[name, shown(value)]] : [])
  return new Map(Object.entries(fields).flatMap(([key, each]) => [...flat(each, name ? `${name}.${key}` : key)]))
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Reads the detail of an audit record. before and after are compared value by value; what is equal in both is left out. */
export function tellChanges(detail: unknown): Told {
  const { before, after, ...rest } = record(detail) ?? {}
  const was = flat(before)
  const is = flat(after)
  const changed = [...new Set([...was.keys(), ...is.keys()])]
    .map((name) => ({ name, before: was.get(name) ?? '', after: is.get(name) ?? '' }))
    .filter((c) => c.before !== c.after)
  return { changed, facts: [...flat(rest)].map(([name, value]) => ({ name, value })).filter((f) => f.value !== '') }
}
