// Holds the built console against budgets.json: bytes of gzip that a browser has to fetch for a page, from the build's manifest.
import { readdir, readFile, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

type Chunk = { file: string; src?: string; imports?: string[]; css?: string[]; isEntry?: boolean }
const root = fileURLToPath(new URL('..', import.meta.url))
const built = await readFile(`${root}dist/.vite/manifest.json`, 'utf8').catch(() => '')
if (!built) {
  console.log('the budgets are not checked: there is no build yet; npm run build makes one')
  process.exit(0)
}
const manifest: Record<string, Chunk> = JSON.parse(built)
// Its times are measured in a browser: e2e/measure.ts.
const budgets: Record<string, number> = JSON.parse(await readFile(`${root}budgets.json`, 'utf8'))

const size = async (file: string) => (await stat(`${root}dist/${file}.gz`).catch(() => stat(`${root}dist/${file}`))).size

/** A chunk and everything that it needs at once. */
function closure(key: string, seen = new Set<string>()): Set<string> {
  if (seen.has(key)) return seen
  seen.add(key)
  for (const each of manifest[key]?.imports ?? []) closure(each, seen)
  return seen
}

async function weigh(keys: Iterable<string>) {
  let js = 0
  let css = 0
  const styles = new Set<string>()
  for (const key of keys) {
    const chunk = manifest[key]
    if (!chunk) throw new Error(`the build has no ${key}`)
    js += await size(chunk.file)
    for (const each of chunk.css ?? []) styles.add(each)
  }
  for (const each of styles) css += await size(each)
  return { js, css }
}

const union = (...keys: string[]) => keys.reduce((all, key) => closure(key, all), new Set<string>())
// What the browser is told to fetch at once, which is all that the sign-in needs.
const html = await readFile(`${root}dist/index.html`, 'utf8')
const first = Object.keys(manifest).filter((key) => key.endsWith('.js') && html.includes(manifest[key]?.file ?? key))
const shell = 'src/shell/shell.tsx'
const rows: [string, number, number][] = []
const page = async (name: string, keys: Set<string>, js: number) => {
  const weight = await weigh(keys)
  rows.push([`${name}, JavaScript`, weight.js, js], [`${name}, styles`, weight.css, budgets.css ?? 0])
}
await page('login', union(...first), budgets.login ?? 0)
await page('dashboard', union(...first, shell, 'src/routes/dashboard.tsx'), budgets.dashboard ?? 0)

const base = union(...first, shell)
for (const key of Object.keys(manifest).filter((k) => k.startsWith('src/routes/'))) {
  const own = await weigh([...closure(key)].filter((k) => !base.has(k)))
  rows.push([key, own.js, budgets.route ?? 0])
}
for (const key of ['src/console/serial.tsx', 'src/console/screen.tsx']) {
  const own = await weigh([...union(key, 'src/routes/vm-console.tsx')].filter((k) => !base.has(k)))
  rows.push([key, own.js, budgets.console ?? 0])
}

const fonts = (await readdir(`${root}dist/assets`)).filter((f) => f.endsWith('.woff2'))
rows.push(['fonts', (await Promise.all(fonts.map((f) => size(`assets/${f}`)))).reduce((sum, n) => sum + n, 0), budgets.fonts ?? 0])

let over = false
for (const [name, bytes, most] of rows) {
  if (bytes > most) over = true
  console.log(`${bytes > most ? 'OVER' : 'ok  '} ${String(bytes).padStart(7)} of ${most}  ${name}`)
}
process.exit(over ? 1 : 0)
