// The rules of this folder that the compiler does not know. Prints every breach; the exit code says whether there was one.
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const breaches: string[] = []

// ui knows nothing of the API but how it says no, and nobody imports pages but the router.
const layers: Record<string, RegExp> = {
  ui: /from '\.\.\/(routes|shell|live|operations|vm|images|console|auth|api\/(?!problem))/,
  lib: /from '\.\.\//,
  live: /from '\.\.\/(routes|shell|ui|vm|operations|images|console)/,
  api: /from '\.\.\/(routes|shell|ui|vm|operations|images|console|live)/,
  vm: /from '\.\.\/routes/,
  images: /from '\.\.\/routes/,
  console: /from '\.\.\/routes/,
  operations: /from '\.\.\/routes/,
  setup: /from '\.\.\/(routes|shell)/,
  dashboard: /from '\.\.\/(routes|shell)/,
  tenants: /from '\.\.\/(routes|shell)/,
  nodes: /from '\.\.\/routes/,
  users: /from '\.\.\/(routes|shell)/,
  roles: /from '\.\.\/(routes|shell)/,
  palette: /from '\.\.\/(routes|shell)/,
}
// Words between tags, in what is read aloud, or alone on a line of markup. Keys have their names everywhere.
const words = />[^<>{}=;()]*[A-Za-z]{3,}[^<>{}=;()]*<\/(?!kbd)|(aria-label|title|placeholder|alt|label)="[^"]*[A-Za-z]{3,}|^\s+[A-Z][a-z]+( [a-z]+)+[.…]?$/
const longest = 400 // lines of a file that is read as one story

for (const entry of await readdir(`${root}src`, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !/\.tsx?$/.test(entry.name) || entry.name === 'schema.d.ts') continue
  const file = `${entry.parentPath}/${entry.name}`.slice(root.length)
  const text = await readFile(root + file, 'utf8')
  const lines = text.split('\n')
  const rule = layers[file.split('/')[1] ?? '']
  lines.forEach((line, i) => {
    const at = `${file}:${i + 1}`
    if (rule?.test(line)) breaches.push(`${at}: this layer may not import that one`)
    if (/:\s*any\b|<any>|as any\b/.test(line)) breaches.push(`${at}: any`)
    if (/\bconsole\.(log|error|warn)\(/.test(line)) breaches.push(`${at}: nobody reads the console`)
    if (/dangerouslySetInnerHTML|innerHTML\s*=|\beval\(/.test(line)) breaches.push(`${at}: text is shown as text`)
    if (file.endsWith('.tsx') && words.test(line)) breaches.push(`${at}: words stand in src/i18n`)
    if (/https?:\/\/(?!www\.w3\.org)/.test(line) && !file.includes('.test.')) breaches.push(`${at}: the console speaks to its own host only`)
  })
  if (lines.length > longest && !file.includes('i18n')) breaches.push(`${file}: ${lines.length} lines; what is the second story?`)
}

// All stories share one server, and a failure begins another: a name that two of them give to an account or a VM is taken only where
// both run and none between them fails. ada is on every server, also on those that a story has for itself.
const makers = new Map<string, string>()
for (const file of (await readdir(`${root}e2e`)).filter((name) => name.endsWith('.spec.ts'))) {
  const text = await readFile(`${root}e2e/${file}`, 'utf8')
  for (const [, what, name] of text.matchAll(/(createUser\(|username: |createVM\()'([\w-]+)'/g)) {
    const made = `${what === 'createVM(' ? 'VM' : 'account'} ${name}`
    if (name !== 'ada' && (makers.get(made) ?? file) !== file) breaches.push(`e2e/${file}: ${makers.get(made)} makes the ${made} too, on the same server`)
    makers.set(made, file)
  }
}

// Where packages come from is the business of whoever installs them.
if (/"resolved":/.test(await readFile(`${root}package-lock.json`, 'utf8'))) breaches.push('package-lock.json names a registry; npm install --omit-lockfile-registry-resolved leaves it out')

for (const breach of breaches) console.error(breach)
process.exit(breaches.length > 0 ? 1 : 0)
