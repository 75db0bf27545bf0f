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
