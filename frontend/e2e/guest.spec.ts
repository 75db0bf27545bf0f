import { Client } from './server.ts'
import { expect, test } from './story.ts'

test('the serial console of a real guest boots, takes commands, and comes back after a restart', async ({ own, allow }) => {
  test.setTimeout(180_000)
  allow(/status of 409.*console/) // while the guest is off
  const { server, page } = await own([])
  await server.createUser('ada', 'administrator')
  const api = await new Client(server.url).login('ada')
  await api.tinyReady()
  const { id } = await api.createVM('real', { memory_mib: 128, networks: [] })
  await page.goto(`/auth/login?next=/vms/${id}/console`)
  await page.fill("input[name='username']", 'ada')
  await page.fill("input[name='password']", 'a long phrase for the tests')
  await page.click("button[type='submit']")
  const screen = page.locator('.xterm-accessibility')
  await expect(page.getByText('Connected', { exact: true })).toBeVisible()
  await expect(screen).toContainText('novacron-tiny: ready', { timeout: 60_000 })
  const keyboard = page.getByLabel('Serial console of the VM. Ctrl')
  await keyboard.focus()
  await page.keyboard.type('echo "sum $((40 + 2))"\n')
  await expect(screen).toContainText('sum 42')
  await api.send('POST', `/api/v1/vms/${id}/stop?wait=60s`, { force: true })
  await expect(page.getByText(/console connects when it runs/)).toBeVisible()
  await api.send('POST', `/api/v1/vms/${id}/start?wait=60s`)
  await expect(page.getByText('Connected', { exact: true })).toBeVisible({ timeout: 30_000 })
  await expect(screen).toContainText('novacron-tiny: ready', { timeout: 60_000 })
})
