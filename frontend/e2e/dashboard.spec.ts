import { expect, test } from './story.ts'

test('shows the figures of the API, each a way to exactly those', async ({ page, signIn, api }) => {
  await api.createVM('counted-on')
  await api.createVM('counted-off', { start: false })
  await signIn()
  const dashboard = page.locator('.dashboard')
  const count = async (query: string) => ((await api.send('GET', `/api/v1/vms?limit=1&${query}`)) as { total: number }).total
  // What other stories left may still be on its way, here and there.
  await expect(async () => {
    for (const status of ['running', 'stopped'])
      await expect(dashboard.getByRole('link', { name: new RegExp(`^\\s*${await count(`status=${status}`)}\\s*${status}$`) })).toBeVisible({ timeout: 5_000 })
    const { items } = (await api.send('GET', '/api/v1/nodes')) as { items: { cpus_allocated: number }[] }
    await expect(dashboard.getByRole('region', { name: 'vCPUs' })).toContainText(`allocated${items[0]?.cpus_allocated} `, { timeout: 5_000 })
  }).toPass({ timeout: 60_000 })
  await dashboard.getByRole('link', { name: /stopped$/ }).click()
  await expect(page).toHaveURL(/status=stopped/)
  await expect(page.getByRole('link', { name: 'counted-off' })).toBeVisible()
  await expect(page.getByRole('link', { name: 'counted-on' })).toHaveCount(0)
})

test('a card that cannot be read says so and leaves the others', async ({ page, signIn, api, allow }) => {
  allow(/status of 500/)
  const { id } = await api.createVM('failing', { start: false })
  await signIn()
  await page.route('**/api/v1/nodes?*', (route) =>
    route.fulfill({ status: 500, contentType: 'application/problem+json', body: '{"title":"The nodes cannot be read","status":500}' }),
  )
  await page.reload()
  await expect(page.getByRole('alert')).toContainText('The nodes cannot be read', { timeout: 20_000 })
  await expect(page.locator('.dashboard').getByRole('link', { name: /VMs in all/ })).toBeVisible()
  await expect(page.locator('.dashboard').getByRole('link', { name: 'failing' }).first()).toHaveAttribute('href', `/vms/${id}`)
})

test('is light on a slow line: little script, few requests, nothing that moves, and marked when it is ready', async ({ page, signIn, api }) => {
  await api.createVM('light', { start: false })
  await signIn()
  const wire = await page.context().newCDPSession(page)
  await wire.send('Network.enable')
  await wire.send('Network.emulateNetworkConditions', { offline: false, latency: 40, downloadThroughput: 1.25e6, uploadThroughput: 1.25e6 })
  await page.addInitScript(() => {
    const seen = window as unknown as { shift: number } // read back below
    seen.shift = 0
    new PerformanceObserver((list) => {
      for (const e of list.getEntries() as (PerformanceEntry & { value: number; hadRecentInput: boolean })[])
        if (!e.hadRecentInput) seen.shift += e.value
    }).observe({ type: 'layout-shift', buffered: true })
  })
  await page.reload()
  await page.waitForFunction(() => performance.getEntriesByName('nc:ready').length > 0)
  await page.waitForLoadState('networkidle')
  const told = await page.evaluate(() => {
    const loaded = performance.getEntriesByType('resource') as PerformanceResourceTiming[]
    return {
      script: loaded.filter((r) => r.name.endsWith('.js')).reduce((sum, r) => sum + r.encodedBodySize, 0),
      requests: loaded.filter((r) => r.name.includes('/api/')).length,
      shift: (window as unknown as { shift: number }).shift,
    }
  })
  expect(told.script).toBeLessThanOrEqual(260_000)
  expect(told.requests).toBeLessThanOrEqual(15)
  expect(told.shift).toBeLessThanOrEqual(0.05)
})

test('a developer sees the quota in place of the machines', async ({ page, server, signIn }) => {
  await server.createUser('dev', 'developer')
  await signIn('dev')
  await expect(page.getByRole('heading', { name: 'Your quota' })).toBeVisible()
  await expect(page.getByRole('heading', { name: 'Capacity' })).toHaveCount(0)
})
