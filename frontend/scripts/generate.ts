// Writes src/api/schema.d.ts from the API's description. With --check it writes nothing and fails when the file is old.
import { readFile, writeFile } from 'node:fs/promises'
import openapiTS, { astToString } from 'openapi-typescript'

const description = new URL('../../backend/api/openapi.json', import.meta.url)
const types = new URL('../src/api/schema.d.ts', import.meta.url)

const fresh = `// Generated from backend/api/openapi.json by \`npm run generate\`. Do not edit.\n${astToString(await openapiTS(description))}`
if (!process.argv.includes('--check')) {
  await writeFile(types, fresh)
} else if ((await readFile(types, 'utf8')) !== fresh) {
  console.error('src/api/schema.d.ts is older than backend/api/openapi.json; npm run generate writes it again')
  process.exit(1)
}
