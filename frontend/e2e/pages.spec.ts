import { createHash } from 'node:crypto'
import { expect, expectAccessible, test } from './story.ts'

test('every page is accessible in both themes and fits a phone', async ({ page, signIn, api }) => {
  test.setTimeout(600_000) // two dozen pages; a busy machine takes ten seconds for each
  const { id } = await api.createVM('looked-at')
  await api.send('POST', `/api/v1/vms/${id}/snapshots?wait=30s`, { name: 'shot' })
  const nodes = (await api.send('GET', '/api/v1/nodes')) as { items: { id: string }[] }
  await signIn()
  const places = [
    '/dashboard',
    '/vms',
    '/vms?name=no-such-vm',
    '/vms/new',
    `/vms/${id}`,
    `/vms/${id}/console`,
    `/vms/${id}/snapshots`,
    `/vms/${id}/activity`,
    '/images',
    '/images/new',
    '/images/new?from=catalogue',
    '/nodes',
    `/nodes/${nodes.items[0]?.id}`,
    '/networks',
    '/events',
    '/operations',
    '/admin/users',
    '/admin/roles',
    '/admin/tenants',
    '/admin/audit',
    '/settings',
    '/settings/security',
    '/settings/sessions',
    '/settings/tokens',
    '/settings/appearance',
  ]
  for (const place of places) {
    await test.step(place, async () => {
      await page.setViewportSize({ width: 1280, height: 720 })
      await page.goto(place)
      await page.getByRole('heading', { level: 1 }).waitFor()
      await expect(page.locator('[aria-busy]')).toHaveCount(0)
      await expectAccessible(page)
      await page.setViewportSize({ width: 360, height: 740 })
      const wider = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      await expect.poll(wider, 'pixels that have to be scrolled sideways').toBeLessThanOrEqual(0)
    })
  }
})

test('makes a join command, and cordons a node', async ({ page, signIn }) => {
  await signIn()
  await page.goto('/nodes')
  await page.getByRole('button', { name: 'Add a node' }).click()
  await page.getByRole('button', { name: 'Make a join command' }).click()
  await expect(page.getByRole('dialog').locator('code')).toContainText(/\S{20}/)
  await page.keyboard.press('Escape')
  await expect(page.getByRole('dialog')).toHaveCount(0)
  await page.getByRole('table').getByRole('link').first().click()
  await page.getByRole('button', { name: 'Cordon' }).click()
  await expect(page.getByText('takes no new VMs')).toBeVisible()
  await page.getByRole('button', { name: 'Uncordon' }).click()
  await expect(page.getByText('takes no new VMs')).toHaveCount(0)
})

test('a viewer sees, and is told why nothing can be done', async ({ page, server, signIn, api }) => {
  await server.createUser('vera', 'viewer')
  await api.createVM('not-for-vera')
  await signIn('vera')
  await expect(page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Nodes' })).toHaveCount(0)
  await page.goto('/images')
  const button = page.getByRole('row', { name: /^tiny/ }).getByRole('button', { name: 'Delete' })
  await expect(button).toHaveAttribute('aria-disabled', 'true')
  await expect(button).toHaveAccessibleDescription(/Ask an administrator/)
})

test('makes an account', async ({ page, signIn, allow }) => {
  allow(/status of (409|422)/)
  await signIn()
  await page.goto('/admin/users')
  await page.getByRole('button', { name: 'Create a user' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('User name').fill('linus')
  await dialog.getByLabel('E-mail').fill('linus@example.org')
  await dialog.getByLabel('Role').selectOption('developer')
  await dialog.getByLabel('Password').fill('a long phrase of his own')
  await dialog.getByRole('button', { name: 'Create' }).click()
  await expect(page.getByRole('row', { name: /linus@example.org/ })).toContainText('developer')
})

test('an upload goes on after the line was cut', async ({ page, signIn, allow }) => {
  allow(/net::ERR|Failed to load resource|WebSocket/)
  await signIn()
  await page.goto('/images/new')
  // A raw disk: its boot sector ends in 55 AA.
  const disk = Buffer.alloc(20 << 20)
  disk.writeUInt16LE(0xaa55, 510)
  await page.getByLabel('File').setInputFiles({ name: 'cut.raw', mimeType: 'application/octet-stream', buffer: disk })
  await expect(page.getByLabel('Name')).toHaveValue('cut')
  await page.getByLabel('Checksum').fill(`sha256:${createHash('sha256').update(disk).digest('hex')}`)
  // The second part of the upload meets a network that is gone, and it stays so until the page was seen to say it.
  let parts = 0
  let seen = () => {}
  const told = new Promise<void>((go) => {
    seen = go
  })
  await page.route('**/api/v1/images/*/data', async (route) => {
    if (route.request().method() === 'PATCH' && ++parts === 2) return route.abort('internetdisconnected')
    if (parts > 1) await told
    return route.continue()
  })
  await page.getByRole('button', { name: 'Upload' }).click()
  await expect(page.getByText('Trying again.').first()).toBeVisible()
  seen()
  const row = page.getByRole('row', { name: /^cut/ })
  await expect(row).toContainText('ready', { timeout: 20_000 })
  await expect(row).toContainText('20 MiB')
  expect(parts).toBeGreaterThan(2)
  await row.getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await expect(row).toHaveCount(0)
})
