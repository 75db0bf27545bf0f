import type { Page } from '@playwright/test'
import { Provider } from './provider.ts'
import { Client, password } from './server.ts'
import { expect, expectAccessible, test } from './story.ts'
import { totp } from './totp.ts'

async function enter(page: Page, name: string) {
  await page.goto('/auth/login')
  await page.fill("input[name='username']", name)
  await page.fill("input[name='password']", password)
  await page.click("button[type='submit']")
}

const sideways = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)

test('a role of one’s own is made with the keyboard on a phone, counts at once, and is not taken from who has it', async ({
  page,
  server,
  visit,
  signIn,
  api,
  allow,
}) => {
  allow(/status of (403|409|422)/) // 403: what the role of her page leaves out
  await server.createUser('nora', 'viewer')
  await page.setViewportSize({ width: 390, height: 844 })
  await signIn()
  await page.goto('/admin/roles')
  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'Create a role' }).press('Enter')
  await expect(dialog).toBeVisible()
  await page.keyboard.type('Night watch') // the first field has the focus
  const box = async (name: string) => {
    await expect(async () => {
      await page.keyboard.press('Tab')
      await expect(dialog.getByRole('checkbox', { name, exact: true })).toBeFocused({ timeout: 50 })
    }).toPass({ intervals: [0] })
    await page.keyboard.press('Space')
  }
  await box('VMs: See')
  await box('Operations: See')
  await box('Nodes: See')
  await expectAccessible(page)
  expect(await sideways(page)).toBeLessThanOrEqual(0)
  expect(await dialog.evaluate((d) => d.scrollWidth - d.clientWidth)).toBeLessThanOrEqual(0)
  await page.keyboard.press('Enter')
  await expect(dialog.getByText(/small letters/)).toBeVisible()
  await dialog.getByLabel('Name').fill('night-watch')
  await page.keyboard.press('Enter')
  const card = page.getByRole('region', { name: 'night-watch', exact: true })
  await expect(card).toContainText('3 actions · Things of the own tenant')
  await expect(card).toContainText('Nobody has it.')
  await expect(page.getByText('night-watch may platform.read')).toBeAttached()

  await page.goto('/admin/users')
  await page.getByRole('button', { name: 'Edit nora' }).click()
  await dialog.getByLabel('Role').selectOption('night-watch')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByRole('row', { name: /^nora/ })).toContainText('night-watch')
  const hers = await visit()
  await enter(hers, 'nora')
  const menu = hers.getByRole('navigation', { name: 'Main' })
  await expect(menu.getByRole('link', { name: 'Nodes' })).toBeVisible()
  await expect(menu.getByRole('link', { name: 'Users' })).toHaveCount(0)
  await expect(hers.getByRole('link', { name: 'Create a VM' })).toHaveCount(0)

  await page.goto('/admin/roles')
  await expect(card).toContainText('Has it: nora')
  await page.getByRole('button', { name: 'Delete night-watch' }).click()
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await expect(dialog.getByRole('alert')).toContainText('nora')
  await dialog.getByRole('button', { name: 'Cancel' }).click()

  await api.send('POST', '/api/v1/tenants', { name: 'night' })
  await page.reload()
  await page.getByRole('button', { name: 'Edit night-watch' }).click()
  await expect(dialog.getByRole('checkbox', { name: 'VMs: See' })).toBeChecked()
  await dialog.getByRole('checkbox', { name: 'VMs: Change' }).check()
  await dialog.getByRole('checkbox', { name: 'VMs: type into them' }).check()
  await dialog.getByRole('radio', { name: 'Things of some tenants' }).check()
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(dialog.getByRole('alert')).toContainText('tenant') // at least one
  await dialog.getByRole('checkbox', { name: 'night', exact: true }).check()
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(card).toContainText('5 actions · night')
  await hers.reload()
  await expect(hers.getByRole('link', { name: 'Create a VM' }).first()).toBeVisible()

  await api.send('PATCH', '/api/v1/users/nora', { role: 'viewer' })
  await page.reload()
  await page.getByRole('button', { name: 'Delete night-watch' }).click()
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await expect(card).toHaveCount(0)
})

test('another account is signed out, locked and unlocked, and its lost second factor reset with the own password', async ({
  page,
  server,
  visit,
  signIn,
  allow,
}) => {
  allow(/status of (401|403|409)/)
  await server.createUser('lost', 'developer')
  const owner = await new Client(server.url).login('lost')
  const { secret } = (await owner.send('POST', '/api/auth/2fa/setup')) as { secret: string }
  await owner.send('POST', '/api/auth/2fa/enable', { code: totp(secret) })
  await signIn()
  await page.goto('/admin/users')
  await page.getByRole('link', { name: 'lost', exact: true }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'lost' })).toBeVisible()
  await expect(page.getByRole('button', { name: /^Sign out .* at/ })).toHaveCount(1)
  await expectAccessible(page)

  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'Reset the second factor' }).click()
  await dialog.getByLabel('Present password').fill('not the password')
  await dialog.getByRole('button', { name: 'Reset the second factor' }).click()
  await expect(dialog.getByText('The present password is wrong')).toBeVisible()
  await dialog.getByLabel('Present password').fill(password)
  await expectAccessible(page)
  await dialog.getByRole('button', { name: 'Reset the second factor' }).click()
  await expect(page.getByText('lost signs in with the password alone now.')).toBeVisible()
  await expect(page.getByText('Signed in nowhere.').first()).toBeVisible()
  await expect(owner.send('GET', '/api/v1/vms')).rejects.toThrow('401')

  const theirs = await visit()
  await enter(theirs, 'lost')
  await expect(theirs.locator('.dashboard')).toBeVisible()
  await page.reload()
  await page.getByRole('button', { name: /^Sign out Chrome/ }).click()
  await expect(theirs).toHaveURL(/auth\/login/)
  await enter(theirs, 'lost')
  await expect(theirs.locator('.dashboard')).toBeVisible()

  await page.getByRole('button', { name: 'Lock', exact: true }).click()
  await expectAccessible(page)
  await dialog.getByRole('button', { name: 'Lock' }).click()
  await expect(page.getByText('lost is locked.')).toBeVisible()
  await expect(theirs).toHaveURL(/auth\/login/)
  await enter(theirs, 'lost')
  await expect(theirs.getByRole('alert')).toContainText('wrong') // nobody learns that it is locked
  await page.getByRole('button', { name: 'Unlock' }).click()
  await expect(page.getByText('lost may sign in again.')).toBeVisible()
  await enter(theirs, 'lost')
  await expect(theirs.locator('.dashboard')).toBeVisible()

  await page.getByRole('link', { name: 'What this account did' }).click()
  await expect(page.getByRole('row', { name: /2fa\.enable/ })).toBeVisible()
  await page.goto('/admin/audit?action=user.*')
  await expect(page.getByRole('row', { name: /user\.reset_factor/ }).first()).toContainText('ada')
})

test('a viewer may look at everything allowed, and no crafted request goes further', async ({ page, server, signIn, api, allow }) => {
  allow(/status of (403|404)/)
  const { id } = await api.createVM('kept-from-vic')
  await api.send('POST', '/api/v1/tenants', { name: 'elsewhere' })
  await server.createUser('vic', 'viewer')
  await api.send('POST', '/api/v1/users', { username: 'far', email: 'far@example.org', password, role: 'developer', tenant: 'elsewhere' })
  await signIn('vic')
  await page.goto(`/vms/${id}`)
  for (const name of ['Stop', 'Add a disk']) // what the role forbids, where the state would allow it
    await expect(page.getByRole('button', { name, exact: true })).toHaveAccessibleDescription(/the role viewer does not allow vm.write/)
  await page.goto(`/vms/${id}/console`) // to look on needs no more than to see the VM
  await expect(page.getByText('Watching', { exact: true })).toBeVisible()
  await expect(page.locator('.xterm-accessibility')).toContainText('simulated')
  for (const name of ['Take over', 'Paste as keystrokes'])
    await expect(page.getByRole('button', { name })).toHaveAccessibleDescription(/does not include this \(vm\.console\)/)
  await page.goto('/vms')
  await expect(page.getByRole('columnheader', { name: 'Status' })).toBeVisible()
  await expect(page.getByRole('columnheader', { name: 'Node' })).toHaveCount(0) // where they run is not told
  await page.goto('/admin/users')
  await expect(page.getByRole('alert')).toContainText(/account\.read/)
  const vic = await new Client(server.url).login('vic')
  const far = await new Client(server.url).login('far')
  const crafted: [string, string, unknown?][] = [
    ['POST', `/api/v1/vms/${id}/stop`],
    ['DELETE', `/api/v1/vms/${id}`],
    ['PATCH', `/api/v1/vms/${id}`, { name: 'mine' }],
    ['POST', `/api/v1/vms/${id}/console`, { kind: 'serial', mode: 'take' }],
    ['POST', `/api/v1/vms/${id}/snapshots`, { name: 'mine' }],
  ]
  for (const [method, path, what] of crafted) {
    await expect(vic.send(method, path, what), `vic: ${method} ${path}`).rejects.toThrow(/: 403 /)
    await expect(far.send(method, path, what), `far: ${method} ${path}`).rejects.toThrow(/: 404 /) // other tenants do not learn that it exists
  }
  await expect(vic.send('PATCH', '/api/v1/users/vic', { role: 'administrator' })).rejects.toThrow(/: 403 /)
  expect(((await far.send('GET', '/api/v1/vms')) as { total: number }).total).toBe(0)
})

test('a refusal of the organisation’s sign-in is a sentence on the sign-in page, whatever the address says', async ({ page }) => {
  await page.goto('/api/auth/oidc/login') // no provider is set here
  await expect(page).toHaveURL(/\/auth\/login\?refused=oidc_off$/)
  await expect(page.getByRole('alert')).toHaveText('Nobody signs in with an organisation here. Sign in with your password.')
  await expectAccessible(page)
  await page.goto('/auth/login?refused=oidc_no_role')
  await expect(page.getByRole('alert')).toContainText('None of your groups')
  await page.goto('/auth/login?refused=constructor')
  await expect(page.getByRole('alert')).toHaveText('You were not signed in. Begin again, or sign in another way.')
  await page.fill("input[name='username']", 'ada')
  await page.fill("input[name='password']", password)
  await page.click("button[type='submit']")
  await expect(page.locator('.dashboard')).toBeVisible()
})

test('an account is linked to its identity at the organisation, signs in there, keeps others off it, and is unlinked', async ({ own, allow }) => {
  allow(/status of (401|403|422)/) // the wrong password, and what is asked before the sign-in
  const provider = await Provider.start({ sub: 'linda-there', email: 'linda@organisation.example', email_verified: true })
  allow(new RegExp(`^foreign request: ${provider.url}/authorize`)) // where the story sends its browser
  try {
    const { server, page } = await own(['--sim'], {
      NOVACRON_OIDC_ISSUER: provider.url,
      NOVACRON_OIDC_CLIENT_ID: 'novacron',
      NOVACRON_OIDC_CLIENT_SECRET: 'between us',
      NOVACRON_OIDC_ROLES: '*=viewer',
    })
    await server.createUser('linda', 'developer')
    await server.createUser('greta', 'developer')
    const dialog = page.getByRole('dialog')
    const card = page.locator('.card').filter({ has: page.getByRole('heading', { name: 'Your organisation' }) })
    const link = async (phrase: string) => {
      await dialog.getByLabel('Present password').fill(phrase)
      await dialog.getByRole('button', { name: 'Link the account' }).click()
    }
    await enter(page, 'linda')
    await expect(page.locator('.dashboard')).toBeVisible()
    await page.goto('/settings/security')
    await expect(card).toContainText('not linked')
    await expectAccessible(page)
    await card.getByRole('button', { name: 'Link the account' }).click()
    await link('not the password')
    await expect(dialog.getByText('The present password is wrong')).toBeVisible()
    await expectAccessible(page)
    await link(password)
    await expect(card.getByRole('button', { name: 'Unlink' })).toBeVisible() // there and back
    await expect(page).toHaveURL(/\/settings\/security$/)

    await page.context().clearCookies()
    await page.goto('/auth/login')
    await page.getByRole('link', { name: 'Sign in with your organisation' }).click()
    await expect(page.locator('.user-menu')).toContainText('linda')

    await page.context().clearCookies()
    await enter(page, 'greta')
    await expect(page.locator('.dashboard')).toBeVisible()
    await page.goto('/settings/security')
    await card.getByRole('button', { name: 'Link the account' }).click()
    await link(password)
    await expect(card.getByRole('alert')).toContainText('has another account here')
    await expect(card).toContainText('not linked')

    await page.context().clearCookies()
    await enter(page, 'linda')
    await expect(page.locator('.dashboard')).toBeVisible()
    await page.goto('/settings/security')
    await card.getByRole('button', { name: 'Unlink' }).click()
    await dialog.getByLabel('Present password').fill(password)
    await dialog.getByRole('button', { name: 'Unlink' }).click()
    await expect(page.getByText('The account was unlinked.')).toBeVisible()
    await expect(card).toContainText('not linked')
  } finally {
    provider.stop()
  }
})

test('who is let into another tenant switches to it in one tab, sees and does what the role there allows, and is home when that ends', async ({
  page,
  server,
  visit,
  signIn,
  api,
  allow,
}) => {
  allow(/status of (401|403)/) // what ended
  await api.send('POST', '/api/v1/tenants', { name: 'lab' })
  await server.createUser('mia', 'viewer')
  await api.createVM('at-home')
  await signIn()
  await page.goto('/admin/users')
  await page.getByRole('link', { name: 'mia', exact: true }).click()
  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'Add a tenant' }).click()
  await dialog.getByLabel('Tenant').selectOption('lab')
  await dialog.getByLabel('Role').selectOption('developer')
  await expectAccessible(page)
  await dialog.getByRole('button', { name: 'Add a tenant' }).click()
  const end = page.getByRole('button', { name: 'End acting in lab' })
  await expect(end).toBeVisible()

  const hers = await visit()
  await enter(hers, 'mia')
  await expect(hers.getByRole('link', { name: 'Create a VM' })).toHaveCount(0)
  await hers.getByRole('button', { name: 'Account of mia' }).click()
  await expect(hers.getByRole('button', { name: /^lab/ })).toBeVisible()
  await expectAccessible(hers)
  await hers.getByRole('button', { name: /^lab/ }).click()
  await expect(hers.locator('.user-menu')).toContainText('lab')
  await expect(hers.getByText('Live', { exact: true })).toBeVisible()
  await hers.getByRole('link', { name: 'Create a VM' }).first().click()
  await hers.getByLabel('Name').fill('in-the-lab')
  await hers.getByRole('button', { name: 'Create', exact: true }).click()
  await expect(hers.locator('.page-head .state')).toHaveText('running')
  await hers.goto('/vms')
  await expect(hers.getByRole('link', { name: 'in-the-lab' })).toBeVisible()
  await expect(hers.getByRole('link', { name: 'at-home' })).toHaveCount(0)
  const second = await hers.context().newPage() // another tab is at home
  await second.goto('/vms')
  await expect(second.getByRole('link', { name: 'at-home' })).toBeVisible()
  await expect(second.getByRole('link', { name: 'in-the-lab' })).toHaveCount(0)

  await end.click()
  await dialog.getByRole('button', { name: 'End', exact: true }).click()
  await expect(end).toHaveCount(0)
  await hers.goto('/vms')
  await expect(hers).toHaveURL(/\/dashboard$/, { timeout: 60_000 })
  await expect(hers.locator('.user-menu')).toHaveText('mia')
  await hers.goto('/vms')
  await expect(hers.getByRole('link', { name: 'at-home' })).toBeVisible()
})
