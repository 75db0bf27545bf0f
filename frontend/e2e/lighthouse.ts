import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { chromium } from '@playwright/test'
import { password } from './server.ts'
import { expect, test } from './story.ts'

// Lighthouse's marks for a desktop, the median of five: a part of `npm run measure`. It brings ninety packages of its own, so it is
// no dependency; who wants the marks installs it beside the others: npm install --no-save lighthouse
type Category = { id: string; score: number }
type Lighthouse = {
  default: (url: string, flags: object, config: object) => Promise<{ lhr: { categories: Record<string, Category> } }>
  desktopConfig: object
}
const name = 'lighthouse'
const found = (await import(name).catch(() => undefined)) as Lighthouse | undefined

const runs = 5
const least: Record<string, number> = { performance: 95, accessibility: 100, 'best-practices': 100 }

test('Lighthouse', async ({ server, launchOptions }) => {
  test.skip(!found, 'Lighthouse is not installed here: npm install --no-save lighthouse')
  if (!found) return
  test.setTimeout(600_000)
  const profile = await mkdtemp(`${tmpdir()}/novacron-lighthouse-`)
  const args = [...(launchOptions.args ?? []), '--remote-debugging-port=0']
  const context = await chromium.launchPersistentContext(profile, { ...launchOptions, args, baseURL: server.url })
  try {
    const port = Number((await readFile(`${profile}/DevToolsActivePort`, 'utf8')).split('\n')[0])
    const marks = async (path: string) => {
      const list: Record<string, number>[] = []
      for (let i = 0; i < runs; i++) {
        const flags = { port, logLevel: 'error', disableStorageReset: true, onlyCategories: Object.keys(least) }
        const { lhr } = await found.default(server.url + path, flags, found.desktopConfig)
        list.push(Object.fromEntries(Object.values(lhr.categories).map((c) => [c.id, Math.round(c.score * 100)])))
      }
      for (const [category, most] of Object.entries(least)) {
        const mark = list.map((l) => l[category] ?? 0).sort((a, b) => a - b)[Math.floor(runs / 2)]
        console.log(`${path}: ${category} ${mark}`)
        expect.soft(mark, `${category} of ${path}`).toBeGreaterThanOrEqual(most)
      }
    }
    await marks('/auth/login')
    const page = await context.newPage()
    await page.goto('/auth/login')
    await page.fill("input[name='username']", 'ada')
    await page.fill("input[name='password']", password)
    await page.click("button[type='submit']")
    await page.locator('.dashboard').waitFor()
    await page.close()
    await marks('/dashboard')
  } finally {
    await context.close()
    await rm(profile, { recursive: true, force: true })
  }
})
