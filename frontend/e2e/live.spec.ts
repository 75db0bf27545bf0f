import type { WebSocketRoute } from '@playwright/test'
import { Client } from './server.ts'
import { expect, test } from './story.ts'

test('says that the server is gone and from when the data is, and catches up when it is back', async ({ own, allow }) => {
  test.setTimeout(120_000)
  allow(/net::ERR|WebSocket|status of 50/) // while the server is gone
  const { server, page } = await own()
  await server.createUser('ada', 'administrator')
  const api = await new Client(server.url).login('ada')
  await api.tinyReady()
  await api.createVM('before')
  await page.goto('/auth/login?next=/vms')
  await page.fill("input[name='username']", 'ada')
  await page.fill("input[name='password']", 'a long phrase for the tests')
  await page.click("button[type='submit']")
  await expect(page.getByText('Live', { exact: true })).toBeVisible()
  await expect(page.getByRole('link', { name: 'before' })).toBeVisible()
  await server.kill()
  await expect(page.getByText(/Reconnecting – data from \d\d:\d\d/)).toBeVisible()
  await expect(page.getByRole('link', { name: 'before' })).toBeVisible() // what was read stays
  await server.run()
  await expect(page.getByText('Live', { exact: true })).toBeVisible({ timeout: 40_000 })
  await api.createVM('after')
  await expect(page.getByRole('link', { name: 'after' })).toHaveCount(1)
  await expect(page.getByRole('link', { name: 'before' })).toHaveCount(1)
})

test('what happens while the line is cut is there when it is back: nothing missing, nothing twice, no reload', async ({ page, signIn, api }) => {
  await api.createVM('cut-stays')
  const { id: stops } = await api.createVM('cut-stops')
  const { id: goes } = await api.createVM('cut-goes')
  let cut = false
  const begun: WebSocketRoute[] = []
  await page.routeWebSocket('**/ws/events/v1', (browser) => {
    begun.push(browser)
    if (cut) return void browser.close({ code: 1013 })
    browser.connectToServer()
  })
  await signIn()
  await page.goto('/vms?name=cut-')
  await expect(page.getByText('Live', { exact: true })).toBeVisible()
  await page.evaluate(() => Object.assign(window, { same: true }))
  cut = true
  for (const line of begun) await line.close({ code: 1013 })
  await expect(page.getByText(/(Reconnecting|Offline) – data from \d\d:\d\d/)).toBeVisible()
  await api.send('POST', `/api/v1/vms/${stops}/stop?wait=30s`)
  await api.send('DELETE', `/api/v1/vms/${goes}?wait=30s`)
  await api.createVM('cut-comes', { start: false })
  cut = false
  await expect(page.getByText('Live', { exact: true })).toBeVisible({ timeout: 60_000 })
  const rows = async () => (await page.getByRole('row').filter({ has: page.getByRole('link') }).allInnerTexts()).map((text) => /(cut-\w+)\s+(\w+)/.exec(text)?.slice(1).join(' '))
  await expect.poll(rows).toEqual(['cut-comes stopped', 'cut-stays running', 'cut-stops stopped'])
  await expect(page.getByText('3 VMs')).toBeVisible()
  expect(await page.evaluate(() => 'same' in window)).toBe(true)
})

test('the events page begins with what happened before it was opened, and goes on live', async ({ page, signIn, api }) => {
  await api.createVM('earlier')
  await signIn()
  await page.goto('/events?kind=vm')
  const rows = page.getByRole('row')
  await expect(rows.filter({ has: page.getByRole('link', { name: 'earlier' }) }).filter({ hasText: 'vm.created' })).toHaveCount(1)
  await api.createVM('later')
  await expect(rows.filter({ has: page.getByRole('link', { name: 'later' }) }).filter({ hasText: 'vm.created' })).toHaveCount(1)
  await expect(rows.filter({ has: page.getByRole('link', { name: 'earlier' }) }).filter({ hasText: 'vm.created' })).toHaveCount(1)
})

test('a list of several pages scrolls to its end with few elements', async ({ page, signIn, api }) => {
  test.setTimeout(120_000)
  const names = Array.from({ length: 600 }, (_, i) => `row-${String(i).padStart(4, '0')}`)
  // Enough for three pages of the server; the sim makes them as fast as it is asked.
  for (let i = 0; i < names.length; i += 30) {
    await Promise.all(names.slice(i, i + 30).map((name) => api.send('POST', '/api/v1/vms', { name, image: 'tiny', memory_mib: 128, start: false })))
  }
  await signIn()
  await page.goto('/vms?name=row-')
  const table = page.getByRole('table')
  await expect(page.getByText('600 VMs')).toBeVisible()
  await expect(async () => {
    await table.evaluate((e) => e.scrollTo(0, e.scrollHeight))
    await expect(page.getByRole('link', { name: 'row-0599' })).toBeVisible({ timeout: 500 })
  }).toPass()
  expect(await page.evaluate(() => document.querySelectorAll('*').length)).toBeLessThan(1500)
})
