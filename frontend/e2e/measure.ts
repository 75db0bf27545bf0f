import { loadavg } from 'node:os'
import type { Browser, Page } from '@playwright/test'
import { type Client, password as phrase, type Server } from './server.ts'
import { expect, test } from './story.ts'

// How quick the pages are: `npm run measure`, by hand and on a machine that does nothing else; each line ends with the load of the
// machine. Each figure is the median of five, beside an empty page of the same run, since a machine without a graphics card draws
// slowly whatever is drawn.
const runs = 5
const machines = Number(process.env.MEASURE_VMS ?? 10_000) // fewer, to look at a change quickly
/** Ten megabits a second, 40 ms there and back, a CPU four times slower. */
const lab = { latency: 40, downloadThroughput: 1.25e6, uploadThroughput: 1.25e6, cpu: 4 }

type Figures = { ready: number; shift: number; script: number; requests: number }

test('sign-in and dashboard', async ({ browser, server, api }) => {
  test.setTimeout(300_000)
  for (let i = 0; i < 20; i++) await api.createVM(`seen-${i}`)
  for (const slow of [false, true]) {
    const login: Figures[] = []
    const dashboard: Figures[] = []
    const empty: number[] = []
    for (let i = 0; i < runs; i++) {
      const page = await freshPage(browser, server, slow)
      await page.goto('/api/health') // as little as this server can send
      empty.push(await page.evaluate(() => (performance.getEntriesByType('navigation')[0] as PerformanceNavigationTiming).loadEventEnd))
      await page.goto('/auth/login')
      login.push(await figures(page))
      await signIn(page)
      await page.goto('/dashboard') // loaded as by whoever opens a bookmark
      dashboard.push(await figures(page))
      await page.context().close()
    }
    for (const [name, list] of Object.entries({ login, dashboard })) {
      tell(`${name}, ${slow ? 'slow line and CPU' : 'as it is'}`, {
        'ready, ms': median(list.map((f) => f.ready)),
        'an empty page, ms': median(empty),
        shift: median(list.map((f) => f.shift)),
        'script, kB': median(list.map((f) => f.script)) / 1000,
        requests: median(list.map((f) => f.requests)),
      })
      expect(median(list.map((f) => f.shift))).toBeLessThanOrEqual(0.05)
    }
  }
})

test('a long list', async ({ browser, server, api }) => {
  test.setTimeout(900_000)
  await fill(api, machines)
  const list: Figures[] = []
  for (let i = 0; i < runs; i++) {
    const page = await freshPage(browser, server, false)
    await signIn(page)
    await page.goto('/vms')
    list.push(await figures(page))
    if (i < runs - 1) {
      await page.context().close()
      continue
    }
    const elements = await page.evaluate(() => document.querySelectorAll('*').length)
    tell(`${machines} VMs`, { 'first rows, ms': median(list.map((f) => f.ready)), elements })
    expect(elements).toBeLessThan(1500)
    await framesAll(browser, page, '500 updates a second of rows in sight')
    await readToTheEnd(page)
    await framesAll(browser, page, `the same with ${machines} rows read`)
    await page.context().close()
  }
})

async function freshPage(browser: Browser, server: Server, slow: boolean): Promise<Page> {
  const context = await browser.newContext({ baseURL: server.url, viewport: { width: 1280, height: 720 } })
  const page = await context.newPage()
  await page.addInitScript(() => {
    const seen = window as unknown as { shift: number; streams: WebSocket[] } // read back below
    seen.shift = 0
    seen.streams = []
    new PerformanceObserver((list) => {
      for (const e of list.getEntries() as (PerformanceEntry & { value: number; hadRecentInput: boolean })[])
        if (!e.hadRecentInput) seen.shift += e.value
    }).observe({ type: 'layout-shift', buffered: true })
    window.WebSocket = class extends WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols)
        if (String(url).includes('/ws/events/')) seen.streams.push(this)
      }
    }
  })
  if (slow) {
    const wire = await context.newCDPSession(page)
    await wire.send('Network.enable')
    await wire.send('Network.emulateNetworkConditions', { offline: false, ...lab })
    await wire.send('Emulation.setCPUThrottlingRate', { rate: lab.cpu })
  }
  return page
}

/** The end of the list, whose rows come page by page. */
async function readToTheEnd(page: Page) {
  const list = page.getByRole('table', { name: 'Virtual machines' })
  await expect(async () => {
    expect(await list.evaluate((e) => (e.scrollTop = e.scrollHeight))).toBeGreaterThan(machines * 36) // px of a row
  }).toPass({ intervals: [50], timeout: 120_000 })
}

async function framesAll(browser: Browser, page: Page, what: string) {
  const blank = await emptyPage(browser)
  const figures = { still: [] as number[], moving: [] as number[] }
  for (let i = 0; i < runs; i++) {
    await blank.bringToFront()
    figures.still.push(await frames(blank))
    await page.bringToFront()
    figures.moving.push(await frames(page, 500))
  }
  const [still, moving] = [median(figures.still), median(figures.moving)]
  tell(`frames a second, ${what}`, { 'an empty page': still, 'the list': moving, 'its slowest run': Math.min(...figures.moving) })
  expect(moving).toBeGreaterThanOrEqual((still * 55) / 60)
  await blank.context().close()
}

async function emptyPage(browser: Browser): Promise<Page> {
  return (await browser.newContext({ viewport: { width: 1280, height: 720 } })).newPage()
}

async function signIn(page: Page) {
  if (!page.url().includes('/auth/login')) await page.goto('/auth/login')
  await page.fill("input[name='username']", 'ada')
  await page.fill("input[name='password']", phrase)
  await page.click("button[type='submit']")
  await page.locator('.dashboard').waitFor()
}

async function figures(page: Page): Promise<Figures> {
  await page.waitForFunction(() => performance.getEntriesByName('nc:ready').length > 0, undefined, { timeout: 60_000 })
  await page.waitForLoadState('networkidle')
  return page.evaluate(() => {
    const loaded = performance.getEntriesByType('resource') as PerformanceResourceTiming[]
    return {
      ready: performance.getEntriesByName('nc:ready')[0]?.startTime ?? Number.NaN,
      shift: (window as unknown as { shift: number }).shift,
      script: loaded.filter((r) => r.name.endsWith('.js')).reduce((sum, r) => sum + r.encodedBodySize, 0),
      requests: loaded.filter((r) => r.name.includes('/api/')).length,
    }
  })
}

/** Frames a second over three seconds, while so many VMs of the list change their state each second. The events are put in at
 * the socket, as the server writes them: five hundred real changes a second would keep the CPU from drawing. */
async function frames(page: Page, updates = 0): Promise<number> {
  return page.evaluate(async (rate) => {
    const stream = (window as unknown as { streams?: WebSocket[] }).streams?.at(-1)
    const ids = [...document.querySelectorAll<HTMLAnchorElement>('[role="row"] a')].map((a) => a.pathname.split('/').pop())
    const span = 3_000 // ms
    const begin = performance.now()
    let drawn = 0
    let sent = 0
    await new Promise<void>((done) => {
      const frame = () => {
        const at = performance.now() - begin
        if (at >= span) return done()
        drawn++
        for (; rate > 0 && sent < (at / 1000) * rate; sent++) {
          const data = {
            id: `AAAAAAAA-z${String(sent).padStart(8, '0')}`,
            type: 'vm.state',
            time: new Date().toISOString(),
            tenant: '',
            subject: `vm/${ids[sent % ids.length]}`,
            data: {
              name: `row-${sent % ids.length}`,
              status: sent % 2 ? 'running' : 'stopping',
              reason: '',
              previous: sent % 2 ? 'stopping' : 'running',
              addresses: [`10.0.0.${sent % 250}`],
            },
          }
          stream?.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(data) }))
        }
        requestAnimationFrame(frame)
      }
      requestAnimationFrame(frame)
    })
    return Math.round((drawn * 1000) / span)
  }, updates)
}

/** Makes VMs that are off, as many at a time as the server takes well. */
async function fill(api: Client, count: number) {
  const names = Array.from({ length: count }, (_, i) => `row-${String(i).padStart(5, '0')}`)
  const next = async () => {
    for (let name = names.pop(); name; name = names.pop())
      await api.send('POST', '/api/v1/vms', { name, image: 'tiny', memory_mib: 128, start: false })
  }
  await Promise.all(Array.from({ length: 32 }, next))
}

function median(list: number[]): number {
  return [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN
}

function tell(what: string, figures: Record<string, number>) {
  console.log(`${what}: ${Object.entries(figures).map(([name, n]) => `${name} ${Math.round(n * 1000) / 1000}`).join(', ')} (load ${loadavg()[0]?.toFixed(1)})`)
}
