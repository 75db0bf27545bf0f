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

test('makes a join command, and cordons and labels a node', async ({ page, signIn, api, allow }) => {
  allow(/status of 409/) // a node that is alive is not removed
  await api.createVM('holds-the-node')
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
  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'Labels' }).click()
  await dialog.getByLabel('Labels').fill('rack')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(dialog.getByText('“rack” is no label')).toBeVisible()
  await dialog.getByLabel('Labels').fill('rack=12')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText('rack=12')).toBeVisible()
  await page.getByRole('button', { name: 'Remove' }).click()
  await dialog.getByRole('button', { name: 'Remove' }).click()
  await expect(dialog.getByRole('alert')).toBeVisible() // it is alive
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
  for (const [place, name] of [
    ['/images', 'Add an image'],
    ['/vms', 'Create a VM'],
  ] as const) {
    await page.goto(place)
    await expect(page.getByRole('button', { name })).toHaveAccessibleDescription(/Ask an administrator/)
    await page.goto(`${place}/new`)
    await expect(page.getByRole('alert')).toContainText('Ask an administrator')
    await expectAccessible(page)
  }
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

test('an upload goes on after the line was cut, and is no image where the checksum differs', async ({ page, signIn, allow }) => {
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
  await expect(row).toContainText('ready', { timeout: 60_000 })
  await expect(row).toContainText('20 MiB')
  await expect(row).toContainText('checksum verified')
  expect(parts).toBeGreaterThan(2)
  await row.getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await expect(row).toHaveCount(0)
  await page.unroute('**/api/v1/images/*/data')

  // What is not as its checksum says becomes no image, and the page says why.
  await page.goto('/images/new')
  await page.getByLabel('File').setInputFiles({ name: 'damaged.raw', mimeType: 'application/octet-stream', buffer: disk })
  await page.getByLabel('Checksum').fill(`sha256:${'0'.repeat(64)}`)
  await page.getByRole('button', { name: 'Upload' }).click()
  const failed = page.getByRole('region', { name: 'Imports that failed' })
  await expect(failed).toContainText('damaged')
  await expect(failed).toContainText(/has checksum sha256:\w+ and sha256:0+ was expected/)
  await expect(page.getByRole('row', { name: /^damaged/ })).toHaveCount(0)
  await expectAccessible(page)
})
