import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { test } from './story.ts'

// Writes docs/screenshots: every page in both themes and two widths. `npm run screenshots` runs it.
const folder = fileURLToPath(new URL('../../docs/screenshots', import.meta.url))
const sizes = {
  wide: { width: 1280, height: 800 },
  phone: { width: 390, height: 844 },
}

test('draws every page', async ({ page, api, signIn }) => {
  test.setTimeout(300_000)
  await mkdir(folder, { recursive: true })
  const web = await api.createVM('web-1', { cpus: 2, memory_mib: 2048 })
  for (const [name, more] of Object.entries({
    'web-2': { cpus: 2 },
    'db-1': { cpus: 4, memory_mib: 8192, protected: true },
    'build-7': { start: false },
    mail: {},
  }))
    await api.createVM(name, more)
  await api.send('POST', `/api/v1/vms/${web.id}/snapshots?wait=30s`, {
    name: 'before-upgrade',
  })
  const nodes = (await api.send('GET', '/api/v1/nodes')) as {
    items: { id: string }[]
  }
  const pages: Record<string, string> = {
    dashboard: '/dashboard',
    vms: '/vms',
    'vm-new': '/vms/new',
    vm: `/vms/${web.id}`,
    'vm-console': `/vms/${web.id}/console`,
    'vm-snapshots': `/vms/${web.id}/snapshots`,
    'vm-activity': `/vms/${web.id}/activity`,
    images: '/images',
    'image-new': '/images/new?from=catalogue',
    nodes: '/nodes',
    node: `/nodes/${nodes.items[0]?.id}`,
    networks: '/networks',
    events: '/events',
    operations: '/operations',
    users: '/admin/users',
    roles: '/admin/roles',
    tenants: '/admin/tenants',
    audit: '/admin/audit',
    settings: '/settings',
  }
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport)
    await page.context().clearCookies()
    await page.goto('/auth/login')
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await draw('login', size)
    await signIn()
    for (const [name, path] of Object.entries(pages)) {
      await page.evaluate(() => performance.clearMarks())
      await page.goto(path)
      await page.waitForFunction(() => performance.getEntriesByName('nc:ready').length > 0)
      await page.getByText('Live', { exact: true }).waitFor()
      if (name === 'vm-console') await page.getByText('Connected', { exact: true }).waitFor()
      await draw(name, size)
    }
  }

  async function draw(name: string, size: string) {
    for (const theme of ['light', 'dark']) {
      await page.evaluate((t) => {
        document.documentElement.dataset.theme = t
      }, theme)
      await page.screenshot({ path: `${folder}/${name}-${size}-${theme}.png` })
    }
  }
})
