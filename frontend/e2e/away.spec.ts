import type { WebSocketRoute } from '@playwright/test'
import { expect, expectAccessible, test } from './story.ts'

const deaf = 'Control+n' // the simulated guest takes no notice of the power button any more

test('a long operation goes on while nobody looks, and is still there to be cancelled', async ({ page, context, signIn, api }) => {
  const { id } = await api.createVM('stubborn')
  await signIn()
  await page.goto(`/vms/${id}/console`)
  await expect(page.getByText('Connected', { exact: true })).toBeVisible()
  await page.getByLabel('Serial console of the VM. Ctrl').focus()
  await page.keyboard.press(deaf)
  await page.keyboard.type('help\n')
  await expect(page.locator('.xterm-accessibility')).toContainText('help')
  await page.goto(`/vms/${id}`)
  await page.getByRole('button', { name: 'Stop', exact: true }).click()
  const step = page.getByText('Power the guest off')
  await expect(step.first()).toBeVisible()
  await page.reload()
  await expect(step.first()).toBeVisible()
  await page.close()

  const back = await context.newPage()
  await back.goto('/dashboard')
  await expect(back.getByText('Live', { exact: true })).toBeVisible()
  await back.getByRole('button', { name: /^Operations 1/ }).click()
  const tray = back.locator('.tray')
  await expect(tray).toContainText('stubborn')
  await expect(tray.getByRole('progressbar')).toBeVisible()
  await tray.getByRole('button', { name: 'Cancel' }).click()
  await expect(back.getByRole('button', { name: /^Operations 0/ })).toBeVisible()
  await back.goto('/operations?status=canceled')
  await expect(back.getByRole('list').filter({ hasText: 'stubborn' }).first()).toContainText('by ada')
  expect((await api.send('GET', `/api/v1/vms/${id}`)) as object).toMatchObject({ status: 'running' }) // as before
})

test('an operation that could not be taken back says why, and is undone again once that was removed', async ({ page, server, signIn, api }) => {
  const { id } = await api.createVM('left-behind')
  const { items } = (await api.send('GET', `/api/v1/operations?subject=vm/${id}`)) as { items: { id: string }[] }
  const why = { kind: 'conflict', code: 'disk_busy', message: 'the disk is in use', cause: 'the disk is in use' }
  server.store('novacron', "update operations set status = 'stuck', step = 2, sentence = 'the disk is in use', problem = ? where id = ?", JSON.stringify(why), items[0]?.id ?? '')
  await signIn()
  await page.locator('.dashboard').getByRole('link', { name: 'Create VM could not be undone' }).click()
  await expect(page).toHaveURL(/\/operations\?status=stuck$/)
  await page.getByRole('heading', { level: 1, name: 'Operations' }).waitFor() // the dashboard stays until the page has come
  const row = page.getByRole('listitem').filter({ hasText: 'left-behind' })
  await expect(row).toContainText('the disk is in use')
  await expectAccessible(page)
  await row.getByRole('button', { name: 'Undo again' }).click()
  await expect(row.getByRole('button')).toHaveCount(0)
  await page.getByLabel('Status').selectOption('canceled')
  await expect(row).toContainText('by ada')
  await expect(api.send('GET', `/api/v1/vms/${id}`)).rejects.toThrow(/: 404 /) // what the create had made is gone
})

test('a laptop that slept for an hour wakes on fresh data and acts at once', async ({ page, signIn, api }) => {
  const { id } = await api.createVM('napping')
  // What a sleeping machine leaves: a socket that nobody has closed and nothing comes through.
  let asleep = false
  const begun: WebSocketRoute[] = []
  await page.routeWebSocket('**/ws/events/v1', (browser) => {
    const nth = begun.push(browser)
    const server = browser.connectToServer()
    const through = () => !(asleep && nth === 1)
    browser.onMessage((m) => through() && server.send(m))
    server.onMessage((m) => through() && browser.send(m))
  })
  await page.clock.install()
  await signIn()
  await page.goto('/vms?name=nap')
  await expect(page.getByText('Live', { exact: true })).toBeVisible() // its line was counted, and is no news after the reload
  begun.length = 0
  await page.reload()
  const row = page.getByRole('row', { name: /napping/ })
  await expect(row).toContainText('running')
  await expect(page.getByText('Live', { exact: true })).toBeVisible()
  expect(begun).toHaveLength(1)

  asleep = true
  await api.send('POST', `/api/v1/vms/${id}/stop?wait=30s`)
  await api.createVM('nap-two')
  await expect(row).toContainText('running') // nothing was heard
  await page.clock.fastForward('01:00:00') // timers that are due go off once, as when the lid is opened
  await expect(row).toContainText('stopped')
  await expect(page.getByRole('link', { name: 'nap-two' })).toHaveCount(1)
  await expect(page.getByText('Live', { exact: true })).toBeVisible()
  expect(begun.length).toBeGreaterThan(1)
  await page.getByRole('link', { name: 'napping' }).click()
  await page.getByRole('button', { name: 'Start', exact: true }).click()
  await expect(page.locator('.page-head .state')).toHaveText('running')
})

test('who did what to a VM, with what it was before and the request', async ({ page, server, signIn, api }) => {
  const { id } = await api.createVM('traced', { start: false })
  await server.createUser('olga', 'operator')
  await server.createUser('wanda', 'viewer')
  await signIn('olga')
  await page.goto(`/vms/${id}`)
  await page.getByRole('button', { name: 'More actions' }).click()
  await page.getByRole('button', { name: 'Edit' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Memory').fill('512 MiB')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(dialog).toHaveCount(0)
  await page.getByRole('button', { name: 'Start', exact: true }).click()
  await page.getByRole('link', { name: 'Activity' }).click()
  await expect(page.getByText('by olga').first()).toBeVisible()
  await expect(page.getByRole('link', { name: 'In the audit log' })).toHaveCount(0) // not for operators

  // What was done to the VM they all may know: with what it was before, and the request.
  const { items } = (await api.send('GET', '/api/v1/audit?action=vm.update')) as { items: { subject: string; request_id: string }[] }
  const request = items.find((e) => e.subject === `vm/${id}`)?.request_id ?? 'none'
  for (const name of ['olga', 'wanda']) {
    if (name === 'wanda') {
      await page.context().clearCookies()
      await signIn(name)
      await page.goto(`/vms/${id}/activity`)
    }
    await page.getByText('vm.update by olga').click()
    await expect(page.getByRole('row', { name: /memory.*256.*512/ })).toBeVisible()
    await expect(page.getByText(request)).toBeVisible()
    await expectAccessible(page)
  }

  await page.context().clearCookies()
  await signIn()
  await page.goto(`/vms/${id}/activity`)
  await page.getByRole('link', { name: 'In the audit log' }).click()
  const row = page.getByRole('row', { name: /vm\.update/ })
  await expect(row).toContainText('olga')
  await row.getByRole('button', { name: /^Details/ }).click()
  await expect(page.getByRole('row', { name: /memory.*256.*512/ })).toBeVisible()
  await expect(page.getByText('Request', { exact: true })).toBeVisible()
})
