import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Page } from '@playwright/test'
import { Client, password, type Server } from './server.ts'
import { test } from './story.ts'
import { totp } from './totp.ts'

// Writes docs/screenshots: every page in both themes and two widths, with real guests. `npm run screenshots` runs it; with
// SCREENSHOTS=name,name it draws those pages only.
const folder = process.env.SCREENSHOTS_DIR ?? fileURLToPath(new URL('../../docs/screenshots', import.meta.url))
const only = process.env.SCREENSHOTS?.split(',')
const sizes = {
  wide: { width: 1280, height: 800 },
  phone: { width: 390, height: 844 },
}

test('draws every page', async ({ own }) => {
  test.setTimeout(600_000)
  await mkdir(folder, { recursive: true })
  const { server, page } = await own([])
  await page.goto(server.setupLink())
  await page.getByLabel('User name').waitFor()
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport)
    await draw(page, 'setup', size)
  }
  await server.createUser('ada', 'administrator')
  const api = await new Client(server.url).login('ada')
  const ids = await furnish(api)
  const pages: Record<string, string> = {
    'setup-nodes': '/setup?step=nodes',
    dashboard: '/dashboard',
    vms: '/vms',
    'vm-new': '/vms/new',
    vm: `/vms/${ids.vm}`,
    'vm-console': `/vms/${ids.vm}/console`,
    'vm-snapshots': `/vms/${ids.vm}/snapshots`,
    'vm-activity': `/vms/${ids.vm}/activity`,
    images: '/images',
    'image-new': '/images/new?from=catalogue',
    nodes: '/nodes',
    node: `/nodes/${ids.node}`,
    networks: '/networks',
    events: '/events',
    operations: '/operations',
    users: '/admin/users',
    user: `/admin/users/${ids.user}`,
    roles: '/admin/roles',
    tenants: '/admin/tenants',
    audit: '/admin/audit',
    settings: '/settings',
    'settings-security': '/settings/security',
    'settings-sessions': '/settings/sessions',
    'settings-tokens': '/settings/tokens',
    'settings-appearance': '/settings/appearance',
  }
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport)
    await page.context().clearCookies()
    await page.goto('/auth/login')
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await draw(page, 'login', size)
    await enter(page, 'ada')
    await page.locator('.dashboard').waitFor()
    for (const [name, path] of Object.entries(pages)) {
      if (only && !only.includes(name)) continue
      await page.goto(path)
      await page.waitForFunction(() => performance.getEntriesByName('nc:ready').length > 0)
      await page.locator('[aria-busy]').waitFor({ state: 'detached' })
      if (!path.startsWith('/setup')) await page.getByText('Live', { exact: true }).waitFor()
      if (name === 'vm-activity') await page.getByText('vm.update by ada').click()
      if (name === 'vm-console') await page.getByText('Connected', { exact: true }).waitFor()
      await draw(page, name, size)
      if (name !== 'dashboard') continue
      await page.keyboard.press('Control+k')
      await page.getByRole('combobox').fill('web')
      await page.getByRole('option', { name: 'web-1', exact: true }).waitFor()
      await draw(page, 'palette', size)
      await page.keyboard.press('Escape')
    }
  }
  await drawDoors(page, server, api)
})

/** The pages around the sign-in: each as whoever comes there sees it first. */
async function drawDoors(page: Page, server: Server, api: Client) {
  await server.createUser('hedy', 'developer')
  const hedy = await new Client(server.url).login('hedy')
  const { secret } = (await hedy.send('POST', '/api/auth/2fa/setup')) as { secret: string }
  await hedy.send('POST', '/api/auth/2fa/enable', { code: totp(secret) })
  await server.createUser('joan', 'developer')
  const { id } = (await api.send('POST', '/api/v1/tenants', { name: 'vault' })) as { id: string }
  await api.send('PATCH', '/api/v1/users/joan', { tenant: 'vault' })
  await api.send('PATCH', `/api/v1/tenants/${id}`, { require_second_factor: true })
  const { url } = (await api.send('POST', '/api/v1/invites', { email: 'karen@example.org', role: 'developer' })) as { url: string }
  await api.send('POST', '/api/auth/forgot-password', { email: 'ada@example.org' })
  const link = await server.mailLink('reset', 'ada@example.org')
  const doors: Record<string, { path: string; as?: string }> = {
    register: { path: url },
    'forgot-password': { path: '/auth/forgot-password' },
    'reset-password': { path: link },
    'verify-email': { path: '/auth/verify-email' },
    'second-factor': { path: '/auth/login', as: 'hedy' },
    enrol: { path: '/auth/login', as: 'joan' },
  }
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport)
    for (const [name, { path, as }] of Object.entries(doors)) {
      await page.context().clearCookies()
      await page.goto('about:blank') // a link to the page that is open would load nothing
      await page.goto(path)
      if (as) {
        await enter(page, as)
        await page.waitForURL(/auth\/(2fa|enrol)/)
      }
      await page.getByRole('heading', { level: 1 }).waitFor()
      if (name === 'enrol') await page.getByRole('img').last().waitFor()
      await draw(page, name, size)
    }
  }
}

async function enter(page: Page, name: string) {
  await page.fill("input[name='username']", name)
  await page.fill("input[name='password']", password)
  await page.click("button[type='submit']")
}

/** A small house: guests that run, one that is off, snapshots, people and tenants. */
async function furnish(api: Client): Promise<{ vm: string; node: string; user: string }> {
  await api.tinyReady()
  const small = { memory_mib: 128 }
  const web = await api.createVM('web-1', { ...small, cpus: 2, tags: ['prod', 'shop'] })
  await api.send('PATCH', `/api/v1/vms/${web.id}`, { description: 'Front of the shop' })
  await api.createVM('web-2', { ...small, cpus: 2, tags: ['prod', 'shop'] })
  await api.createVM('db-1', { ...small, protected: true, disk_gib: 4, tags: ['prod'] })
  await api.createVM('build-7', { ...small, start: false })
  await api.createVM('mail', small)
  await api.send('POST', `/api/v1/vms/${web.id}/snapshots?wait=60s`, { name: 'before-upgrade', description: 'Shop 4.1' })
  const none = { cpus: 0, memory_mib: 0, disk_gib: 0, snapshots: 0, addresses: 20 }
  await api.send('POST', '/api/v1/tenants', { name: 'acme', quota: { ...none, vms: 20, cpus: 40, memory_mib: 65536 } })
  await api.send('POST', '/api/v1/tenants', { name: 'research' })
  await api.send('PATCH', '/api/v1/tenants/acme', { quota: { ...none, vms: 25, cpus: 40, memory_mib: 65536 } })
  await api.send('POST', '/api/v1/roles', {
    name: 'night-watch',
    description: 'Sees what runs and types into guests, between ten and six',
    actions: ['vm.read', 'vm.console', 'operation.read', 'platform.read'],
    tenants: 'all',
  })
  let user = ''
  for (const [username, role, tenant] of [
    ['grace', 'operator', ''],
    ['linus', 'developer', 'acme'],
    ['radia', 'viewer', 'research'],
    ['edith', 'night-watch', ''],
  ])
    user = ((await api.send('POST', '/api/v1/users', {
      username,
      role,
      ...(tenant ? { tenant } : {}),
      email: `${username}@example.org`,
      password: 'a long phrase of their own',
    })) as { id: string }).id
  await api.send('POST', '/api/v1/invites', { email: 'margaret@example.org', role: 'developer', tenant: 'research' })
  const { items } = (await api.send('GET', '/api/v1/nodes')) as { items: { id: string }[] }
  return { vm: web.id, node: items[0]?.id ?? '', user }
}

async function draw(page: Page, name: string, size: string) {
  if (only && !only.includes(name)) return
  for (const theme of ['light', 'dark']) {
    await page.evaluate((t) => {
      document.documentElement.dataset.theme = t
    }, theme)
    await page.screenshot({ path: `${folder}/${name}-${size}-${theme}.png` })
  }
}
