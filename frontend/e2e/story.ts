import { AxeBuilder } from '@axe-core/playwright'
import { test as base, type BrowserContext, expect, type Page } from '@playwright/test'
import { Client, password, Server } from './server.ts'

type Worker = { server: Server; api: Client }
type Each = {
  watched: string[]
  signIn: (name?: string) => Promise<void>
  /** Another browser, without the cookies of the first. */
  visit: () => Promise<Page>
  allow: (what: RegExp) => void
  own: (args?: string[], extra?: NodeJS.ProcessEnv) => Promise<{ server: Server; page: Page; visit: () => Promise<Page> }>
}

/** Collects what a page may not do: errors, refused content, requests to anybody else. */
function watch(context: BrowserContext, url: string, wrong: string[]) {
  context.on('console', (m) => m.type() === 'error' && wrong.push(`console: ${m.text()} ${m.location().url}`))
  context.on('weberror', (e) => wrong.push(`error: ${e.error().stack || e.error().message}`))
  context.on('request', (r) => {
    if (!/^(data|blob):/.test(r.url()) && new URL(r.url()).host !== new URL(url).host)
      wrong.push(`foreign request: ${r.url()}`)
  })
}

/** A story against the real binary. It fails on console errors, unhandled rejections, refused content and foreign requests. */
export const test = base.extend<Each, Worker>({
  server: [
    // Playwright asks for a pattern
    async ({}, use) => {
      const server = await Server.start()
      await server.createUser('ada', 'administrator')
      await use(server)
      await server.stop()
    },
    { scope: 'worker', timeout: 120_000 },
  ],
  api: [
    async ({ server }, use) => {
      const api = await new Client(server.url).login('ada')
      await api.tinyReady()
      await use(api)
    },
    { scope: 'worker' },
  ],
  baseURL: async ({ server }, use) => use(server.url),
  allow: [
    // Playwright asks for a pattern
    async ({}, use) => {
      const allowed: RegExp[] = []
      const allow = Object.assign((what: RegExp) => void allowed.push(what), {
        allowed,
      })
      await use(allow)
    },
    {},
  ],
  watched: [
    async ({ context, server, allow }, use) => {
      const wrong: string[] = []
      // Chromium drops what it loads when any interface of the machine comes or goes; the console loads it again.
      allow(/net::ERR_NETWORK_CHANGED/)
      const { allowed } = allow as unknown as { allowed: RegExp[] } // made above
      watch(context, server.url, wrong)
      await use(wrong)
      expect(wrong.filter((w) => !allowed.some((a) => a.test(w)))).toEqual([])
    },
    { auto: true },
  ],
  // A platform of the story's own, for what would disturb the others: an empty one, a killed one, other settings.
  own: async ({ browser, watched }, use) => {
    const begun: Server[] = []
    const contexts: BrowserContext[] = []
    await use(async (args, extra) => {
      const server = await Server.start(args, extra)
      begun.push(server)
      const visit = async () => {
        const context = await browser.newContext({ baseURL: server.url, viewport: { width: 1280, height: 720 } })
        contexts.push(context)
        watch(context, server.url, watched)
        return context.newPage()
      }
      return { server, page: await visit(), visit }
    })
    await Promise.all(contexts.map((c) => c.close()))
    for (const server of begun) await server.stop()
  },
  visit: async ({ browser, server, watched }, use) => {
    const contexts: BrowserContext[] = []
    await use(async () => {
      const context = await browser.newContext({ baseURL: server.url })
      contexts.push(context)
      watch(context, server.url, watched)
      return context.newPage()
    })
    await Promise.all(contexts.map((c) => c.close()))
  },
  signIn: async ({ page }, use) => {
    await use(async (name = 'ada') => {
      await page.goto('/auth/login')
      await page.fill("input[name='username']", name)
      await page.fill("input[name='password']", password)
      await page.click("button[type='submit']")
      await page.locator('.dashboard').waitFor()
    })
  },
})

const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']
/** Of these, what the other theme can break: it changes nothing but colours. */
const ofColour = ['color-contrast', 'link-in-text-block']

/** No rule of WCAG 2.2 AA that a program can check is broken, in either theme. within: only in there. */
export async function expectAccessible(page: Page, within?: string) {
  for (const theme of ['light', 'dark']) {
    await page.evaluate((t) => {
      document.documentElement.dataset.theme = t
    }, theme)
    const axe = within ? new AxeBuilder({ page }).include(within) : new AxeBuilder({ page })
    const { violations } = await (theme === 'light' ? axe.withTags(tags) : axe.withRules(ofColour)).analyze()
    const told = violations.map(
      (v) => `${theme}: ${v.id}: ${v.nodes.map((n) => `${n.target} ${n.failureSummary}`).join('; ')}`,
    )
    expect(told).toEqual([])
  }
}

export { expect }
