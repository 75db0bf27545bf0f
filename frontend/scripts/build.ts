// Builds the console into dist and puts a .br and a .gz beside each file that shrinks.
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { build } from 'vite'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = `${root}dist`

for (const name of await readdir(dist)) {
  if (name !== '.gitkeep') await rm(`${dist}/${name}`, { recursive: true })
}
await build({ root, logLevel: 'warn' })
for (const entry of await readdir(dist, {
  recursive: true,
  withFileTypes: true,
})) {
  if (!entry.isFile() || !/\.(html|js|css|svg|json)$/.test(entry.name) || entry.parentPath.includes('.vite')) continue
  const file = `${entry.parentPath}/${entry.name}`
  const plain = await readFile(file)
  const forms = {
    br: brotliCompressSync(plain, {
      params: { [constants.BROTLI_PARAM_SIZE_HINT]: plain.length },
    }),
    gz: gzipSync(plain, { level: 9 }),
  }
  for (const [ext, form] of Object.entries(forms)) {
    if (form.length < plain.length) await writeFile(`${file}.${ext}`, form)
  }
}
