import { readFile } from 'node:fs/promises'
import type { Page } from '@playwright/test'
import { type Delay, delayOf, keepNews } from './news.ts'
import { Client, password } from './server.ts'
import { expect, expectAccessible, test } from './story.ts'

test('makes a VM with a form, shows the steps, and lands on its page', async ({ page, signIn, api }) => {
  // News of the operation wait until its steps were seen: the simulated node is done before anybody could look.
  let pass = () => {}
  const seen = new Promise<void>((go) => (pass = go))
  await page.routeWebSocket('**/ws/events/v1', (browser) => {
    const server = browser.connectToServer()
    server.onMessage((m) => void seen.then(() => browser.send(m)))
  })
  await page.addInitScript(() => {
    const told = window as unknown as { steps?: string } // read back below
    new MutationObserver(() => (told.steps ??= document.querySelector('ol.steps')?.textContent ?? undefined)).observe(document, { childList: true, subtree: true })
  })
  await signIn()
  await page.getByRole('link', { name: 'Create a VM' }).first().click()
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  await expect(page.getByLabel('Name')).toBeFocused() // the first field at fault
  await expect(page.getByText('Give the VM a name.')).toBeVisible()
  await page.getByLabel('Name').fill('made-here')
  await page.getByLabel('Memory', { exact: true }).fill('much')
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  await expect(page.getByText('Write a size like 512 MiB or 4 GiB.')).toBeVisible()
  await page.getByLabel('Memory', { exact: true }).fill('1 GiB')
  await page.getByRole('button', { name: 'Create', exact: true }).dblclick()
  await expect(page.getByRole('heading', { name: 'made-here' })).toBeVisible()
  await expect.poll(() => page.evaluate(() => (window as unknown as { steps?: string }).steps)).toMatch(/\w/)
  pass()
  await expect(page.locator('.page-head .state')).toHaveText('running')
  const { items } = (await api.send('GET', '/api/v1/vms?name=made-here')) as { items: { memory_mib: number }[] }
  expect(items.map((v) => v.memory_mib)).toEqual([1024])
})

test('the nodes are judged before a VM is made, and the one that is chosen takes it', async ({ page, signIn, api }) => {
  const { items } = (await api.send('GET', '/api/v1/nodes')) as { items: { id: string; name: string }[] }
  const node = items[0]
  await signIn()
  await page.goto('/vms/new')
  const places = page.getByRole('list', { name: 'Where it would run' })
  await expect(places.getByRole('listitem')).toHaveCount(items.length)
  await expect(places).toContainText(/chosen/)
  const free = async () => Number(/([\d,.]+) vCPUs/.exec((await places.textContent()) ?? '')?.[1]?.replaceAll(',', ''))
  const before = await free()
  await page.getByLabel('vCPUs', { exact: true }).fill('4')
  await expect.poll(free).toBe(before - 3)
  try {
    await api.send('PATCH', `/api/v1/nodes/${node?.id}`, { cordoned: true })
    await page.getByLabel('vCPUs', { exact: true }).fill('2')
    await expect(places).toContainText(`node ${node?.name} is cordoned and takes no new VMs`)
    await expect(places).not.toContainText('chosen')
    await expectAccessible(page)
  } finally {
    await api.send('PATCH', `/api/v1/nodes/${node?.id}`, { cordoned: false })
  }
  await page.getByLabel('Name').fill('well-placed')
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  await expect(page.getByRole('heading', { name: 'well-placed' })).toBeVisible()
  await expect(page.getByRole('link', { name: node?.name ?? '', exact: true })).toBeVisible()
})

test('a machine joins with the command that is shown, appears by itself, and is judged beside the first', async ({ own }) => {
  const { server, page } = await own(['--sim'], { NOVACRON_NODE_NAME: 'first' })
  await server.createUser('ada', 'administrator')
  await page.goto('/auth/login?next=/nodes')
  await page.fill("input[name='username']", 'ada')
  await page.fill("input[name='password']", password)
  await page.click("button[type='submit']")
  await page.getByRole('button', { name: 'Add a node' }).click()
  await page.getByRole('button', { name: 'Make a join command' }).click()
  server.join((await page.getByRole('dialog').locator('code').textContent()) ?? '')
  await page.keyboard.press('Escape')
  const rows = page.getByRole('row').filter({ has: page.getByRole('link') })
  await expect(rows).toHaveCount(2, { timeout: 60_000 })
  await expect(rows.filter({ hasNotText: 'first' })).toContainText('alive', { timeout: 60_000 })
  await page.goto('/vms/new')
  const places = page.getByRole('list', { name: 'Where it would run' }).getByRole('listitem')
  await expect(places).toHaveCount(2)
  await expect(places.first()).toContainText('would stay free')
  await page.getByLabel('Memory', { exact: true }).fill('16 TiB') // more than this machine has
  await expect(places.last()).toContainText(/does not do.*node \S+ has .* free, this-vm needs 16,?384/)
  await expect(places.first()).toContainText(/first.*would stay free.*chosen/)
  await expectAccessible(page)
})

test('a name that is taken is told at the field', async ({ page, signIn, api, allow }) => {
  allow(/status of 409/)
  await api.createVM('taken')
  await signIn()
  await page.goto('/vms/new')
  await page.getByLabel('Name').fill('taken')
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  await expect(page.getByText(/taken/).last()).toBeVisible()
  await expect(page).toHaveURL(/\/vms\/new/)
})

test('stops and starts, and says why an action is not possible', async ({ page, signIn, api }) => {
  const { id } = await api.createVM('power')
  await signIn()
  await page.goto(`/vms/${id}`)
  const start = page.getByRole('button', { name: 'Start', exact: true })
  await expect(start).toHaveAttribute('aria-disabled', 'true')
  await expect(start).toHaveAccessibleDescription(/\w+ \w+/)
  await page.getByRole('button', { name: 'Stop', exact: true }).click()
  await expect(page.locator('.page-head .state')).toHaveText('stopped')
  await expect(start).not.toHaveAttribute('aria-disabled', 'true')
  await start.click()
  await expect(page.locator('.page-head .state')).toHaveText('running')
  await page.getByRole('button', { name: 'More actions' }).click()
  await page.getByRole('button', { name: 'Restart', exact: true }).click()
  await expect
    .poll(async () => ((await api.send('GET', `/api/v1/operations?subject=vm/${id}&kind=vm.restart`)) as { items: { status: string }[] }).items.map((o) => o.status))
    .toEqual(['succeeded'])
  await page.getByRole('button', { name: 'More actions' }).click()
  await page.getByRole('button', { name: 'Force off', exact: true }).click()
  await expect(page.locator('.page-head .state')).toHaveText('stopped')
})

test('what is done elsewhere shows within two seconds and without a reload, in the list and on the dashboard', async ({
  page,
  context,
  signIn,
  api,
}) => {
  await api.createVM('was-here')
  await keepNews(context)
  await signIn()
  const total = ((await api.send('GET', '/api/v1/vms?limit=1')) as { total: number }).total
  const counter = page.locator('.dashboard').getByRole('link', { name: /VMs in all/ })
  await expect(counter).toContainText(String(total))
  const list = await context.newPage()
  await list.goto('/vms?sort=-created_at')
  await list.getByRole('table').waitFor()
  for (const each of [page, list]) await expect(each.getByText('Live', { exact: true })).toBeVisible()

  const row = { about: '"from-elsewhere"', css: '[role=row]' }
  const all = (n: number) => ({ css: '.dashboard a', text: `^\\D*${n}\\D*VMs in all` })
  const inTime = async (what: string, delay: () => Promise<Delay>) => {
    const { took, stalled } = await delay()
    console.log(`${what}: ${Math.round(took)} ms after its event, ${Math.round(stalled)} ms of them not let run`)
    expect(took - stalled, what).toBeLessThan(2_000)
  }
  const listed = await delayOf(list, { ...row, event: 'vm.created', text: 'from-elsewhere' })
  const counted = await delayOf(page, { ...row, ...all(total + 1), event: 'vm.created' })
  const { id } = await api.createVM('from-elsewhere')
  await inTime('a new VM, in the list', listed)
  await inTime('a new VM, on the dashboard', counted)
  await expect(list.getByRole('row', { name: /from-elsewhere/ })).toContainText('running')
  const stopped = await delayOf(list, { ...row, event: 'vm.state', about: '"status":"stopped"', text: 'from-elsewhere.*stopped' })
  await api.send('POST', `/api/v1/vms/${id}/stop?wait=30s`)
  await inTime('a VM that stopped', stopped)
  const unlisted = await delayOf(list, { ...row, event: 'vm.deleted', about: id, text: 'from-elsewhere', gone: true })
  const uncounted = await delayOf(page, { ...all(total), event: 'vm.deleted', about: id })
  await api.send('DELETE', `/api/v1/vms/${id}?wait=30s`)
  await inTime('a VM that is gone, from the list', unlisted)
  await inTime('a VM that is gone, from the count', uncounted)
})

test('filters live in the address, which shows a colleague the same list', async ({ page, server, visit, signIn, api }) => {
  await server.createUser('hedy', 'administrator')
  await api.createVM('filter-a')
  await api.createVM('filter-b', { start: false })
  await signIn()
  await page.goto('/vms')
  await page.getByLabel('Filter by name').fill('filter-')
  await page.getByLabel('Status').selectOption('stopped')
  await expect(page).toHaveURL(/name=filter-/)
  await expect(page.getByRole('link', { name: 'filter-b' })).toBeVisible()
  await expect(page.getByRole('link', { name: 'filter-a' })).toHaveCount(0)
  await page.reload()
  await expect(page.getByLabel('Filter by name')).toHaveValue('filter-')
  await expect(page.getByRole('link', { name: 'filter-b' })).toBeVisible()
  await expect(page.getByRole('link', { name: 'filter-a' })).toHaveCount(0)

  await page.getByLabel('Status').selectOption('Any status')
  const { items } = (await api.send('GET', '/api/v1/nodes')) as { items: { name: string }[] }
  await page.getByLabel('Node').selectOption(items[0]?.name ?? '')
  await page.getByRole('columnheader', { name: /^Name/ }).getByRole('button').click()
  const rows = (p: Page) => p.getByRole('row').getByRole('link').allTextContents()
  await expect.poll(() => rows(page)).toEqual(['filter-b', 'filter-a'])
  const there = await visit()
  await there.goto(`/auth/login?next=${encodeURIComponent(new URL(page.url()).pathname + new URL(page.url()).search)}`)
  await there.fill("input[name='username']", 'hedy')
  await there.fill("input[name='password']", password)
  await there.click("button[type='submit']")
  await expect.poll(() => rows(there)).toEqual(['filter-b', 'filter-a'])
  expect(there.url()).toBe(page.url())
})

test('VMs are found by tag and by address, and the address of the page shows a colleague the same', async ({ page, server, visit, signIn, api }) => {
  await server.createUser('joan', 'administrator')
  const { id } = await api.createVM('tagged-a', { tags: ['prod', 'shop'] })
  await api.createVM('tagged-b', { tags: ['prod'] })
  await api.createVM('tagged-c', { tags: ['staging'] })
  const { addresses } = (await api.send('GET', `/api/v1/vms/${id}`)) as { addresses: string[] }
  const address = addresses[0] ?? ''
  const rows = (p: Page) => p.getByRole('row').getByRole('link').allTextContents()
  await signIn()
  await page.goto('/vms')
  await page.getByLabel('Filter by tag').fill('prod')
  await expect.poll(() => rows(page)).toEqual(['tagged-a', 'tagged-b'])
  await expect(page.getByRole('row', { name: /tagged-a/ }).getByRole('cell', { name: 'prod, shop' })).toBeVisible()
  await page.getByLabel('Filter by address').fill(address.slice(0, address.lastIndexOf('.') + 1))
  await expect(page).toHaveURL(/address=/)
  await expect.poll(() => rows(page)).toEqual(['tagged-a', 'tagged-b'])
  await page.getByLabel('Filter by address').fill(address)
  await expect.poll(() => rows(page)).toEqual(['tagged-a'])
  await page.getByLabel('Filter by tag').fill('shop, prod')
  await expect(page).toHaveURL(/tag=shop%2Cprod/)
  await expect.poll(() => rows(page)).toEqual(['tagged-a'])
  const there = await visit()
  await there.goto(`/auth/login?next=${encodeURIComponent(new URL(page.url()).pathname + new URL(page.url()).search)}`)
  await there.fill("input[name='username']", 'joan')
  await there.fill("input[name='password']", password)
  await there.click("button[type='submit']")
  await expect.poll(() => rows(there)).toEqual(['tagged-a'])
  expect(there.url()).toBe(page.url())

  // Another set of tags is given on the page of a VM, from which a tag leads to all that have it.
  await page.getByRole('link', { name: 'tagged-a' }).click()
  await page.getByRole('button', { name: 'More actions' }).click()
  await page.getByRole('button', { name: 'Edit', exact: true }).click()
  const dialog = page.getByRole('dialog')
  await expect(dialog.getByLabel('Tags')).toHaveValue('prod shop')
  await dialog.getByLabel('Tags').fill('Staging, shop')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('link', { name: 'staging', exact: true }).click()
  await expect(page).toHaveURL(/\/vms\?tag=staging$/)
  await expect.poll(() => rows(page)).toEqual(['tagged-a', 'tagged-c'])
  await expectAccessible(page)
})

test('who sees the VMs of several tenants tells them apart', async ({ page, signIn, api, server }) => {
  const { id } = (await api.send('POST', '/api/v1/tenants', { name: 'next-door' })) as { id: string }
  await api.send('POST', '/api/v1/users', { username: 'dora', email: 'dora@example.org', password, role: 'developer', tenant: 'next-door' })
  const dora = await new Client(server.url).login('dora')
  await api.createVM('namesake', { start: false })
  await dora.createVM('namesake', { start: false })
  await signIn()
  await page.goto('/vms?name=namesake')
  const rows = page.getByRole('row').filter({ has: page.getByRole('link') })
  await expect(rows).toHaveCount(2)
  await expect(rows.filter({ hasText: 'next-door' })).toHaveCount(1)
  await page.getByLabel('Tenant').selectOption('next-door')
  await expect(page).toHaveURL(new RegExp(`tenant=${id}`))
  await expect(rows).toHaveCount(1)
  await expect(rows).toContainText('next-door')
})

test('deleting names what goes, and wants the name', async ({ page, signIn, api }) => {
  const { id } = await api.createVM('doomed')
  const { addresses } = (await api.send('GET', `/api/v1/vms/${id}`)) as { addresses: string[] }
  await api.send('POST', `/api/v1/vms/${id}/snapshots?wait=30s`, { name: 'one' })
  await signIn()
  await page.goto(`/vms/${id}`)
  await page.getByRole('button', { name: 'More actions' }).click()
  await page.getByRole('button', { name: 'Delete' }).click()
  const dialog = page.getByRole('dialog')
  await expect(dialog).toContainText('1 disk')
  await expect(dialog.getByRole('listitem').filter({ hasText: '1 snapshot' })).toContainText('one')
  await expect(dialog).toContainText('stop the VM and clone it first')
  expect(addresses).toHaveLength(1)
  await expect(dialog).toContainText(addresses[0] ?? '')
  await expectAccessible(page)
  await expect(dialog.getByRole('button', { name: 'Delete' })).toHaveAttribute('aria-disabled', 'true')
  await dialog.getByLabel('Type doomed to confirm').fill('doomed')
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await expect(page).toHaveURL(/\/vms$/)
  await expect(page.getByRole('link', { name: 'doomed' })).toHaveCount(0)
})

test('takes a snapshot and reverts to it', async ({ page, signIn, api }) => {
  const { id } = await api.createVM('snapped', { start: false })
  await signIn()
  await page.goto(`/vms/${id}/snapshots`)
  await page.getByRole('button', { name: 'Take a snapshot' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name').fill('before')
  await dialog.getByRole('button', { name: 'Take a snapshot' }).click()
  const row = page.getByRole('row', { name: /before/ })
  await expect(row).toContainText('ready')
  await row.getByRole('button', { name: 'Revert' }).click()
  await expect(dialog).toContainText('is lost')
  await dialog.getByRole('button', { name: 'Revert' }).click()
  await expect(dialog).toHaveCount(0)
  await expect(row).toContainText('ready')
})

test('the serial console types, echoes, pastes, and finds what scrolled by', async ({ page, signIn, api }) => {
  const { id } = await api.createVM('console')
  await signIn()
  await page.goto(`/vms/${id}/console`)
  await expect(page.getByText('Connected', { exact: true })).toBeVisible()
  const screen = page.locator('.xterm-accessibility')
  await expect(screen).toContainText('simulated')
  await page.getByLabel('Serial console of the VM. Ctrl').focus()
  await page.keyboard.type('help\n')
  await expect(screen).toContainText('help')
  await page.getByRole('button', { name: 'Paste as keystrokes' }).click()
  await page.getByLabel('Text to type into the guest').fill('echo pasted-words')
  await page.getByRole('button', { name: 'Type it' }).click()
  await expect(screen).toContainText('pasted-words')
  await page.getByLabel('Search the scrollback').fill('nothing like this')
  await page.keyboard.press('Enter')
  await expect(page.getByText('No match')).toBeVisible()
  await page.getByRole('button', { name: 'Full screen' }).click()
  await expect.poll(() => page.evaluate(() => document.fullscreenElement?.className)).toBe('console')
  await expect(page.getByRole('button', { name: 'Paste as keystrokes' })).toBeInViewport()
  await page.getByRole('button', { name: 'Full screen' }).click()
  await expect.poll(() => page.evaluate(() => document.fullscreenElement)).toBeNull()
  const saved = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Download log' }).click()
  const text = await readFile(await (await saved).path(), 'utf8')
  expect(text).toContain('simulated')
  expect(text).toContain('pasted-words')
})

test('a second console is told who is there, watches, and takes over', async ({
  page,
  server,
  visit,
  signIn,
  api,
}) => {
  await server.createUser('grace', 'administrator')
  const { id } = await api.createVM('shared')
  await signIn()
  await page.goto(`/vms/${id}/console`)
  await expect(page.getByText('Connected', { exact: true })).toBeVisible()
  const second = await visit()
  await second.goto(`/auth/login?next=/vms/${id}/console`)
  await second.fill("input[name='username']", 'grace')
  await second.fill("input[name='password']", password)
  await second.click("button[type='submit']")
  await expect(second.getByRole('alert')).toContainText('ada')
  await second.getByRole('button', { name: 'Watch' }).click()
  await expect(second.getByText('Watching')).toBeVisible()
  await expect(page.getByText('Also here: grace')).toBeVisible()
  await second.getByRole('button', { name: 'Take over' }).click()
  await expect(second.getByText('Connected', { exact: true })).toBeVisible()
  await expect(page.getByRole('alert')).toContainText('took this console over')
})
