import type { Page } from '@playwright/test'
import { Client, password } from './server.ts'
import { expect, expectAccessible, test } from './story.ts'

/** Gives the browser an authenticator that is asked and says yes. */
async function authenticator(page: Page, transport: 'internal' | 'usb' = 'internal') {
  const device = await page.context().newCDPSession(page)
  await device.send('WebAuthn.enable')
  await device.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport,
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  })
}

async function addPasskey(page: Page, name: string) {
  await page.getByRole('button', { name: 'Add a passkey' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name').fill(name)
  await dialog.getByLabel('Present password').fill(password)
  await dialog.getByRole('button', { name: 'Add a passkey' }).click()
  await expect(dialog).toHaveCount(0)
  const done = page.getByRole('button', { name: 'Done' }) // the first one comes with backup codes
  await expect(done.or(page.getByRole('row', { name: new RegExp(name) })).first()).toBeVisible()
  if (!(await done.isVisible())) return
  await page.getByLabel('I have kept them').check()
  await done.click()
}

test('a passkey is made, signs in alone and as the second factor, and is removed', async ({ page, server, signIn, allow }) => {
  test.setTimeout(120_000)
  allow(/status of (403|422)/)
  await server.createUser('keyed', 'developer')
  await authenticator(page)
  await signIn('keyed')
  await page.goto('/settings/security')
  await page.getByRole('button', { name: 'Add a passkey' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name').fill('laptop')
  await dialog.getByLabel('Present password').fill('not the password')
  await dialog.getByRole('button', { name: 'Add a passkey' }).click()
  await expect(dialog.getByText('The present password is wrong')).toBeVisible()
  await dialog.getByLabel('Present password').fill(password)
  await expectAccessible(page)
  await dialog.getByRole('button', { name: 'Add a passkey' }).click()
  await expect(page.locator('.codes li')).toHaveCount(10)
  await page.getByLabel('I have kept them').check()
  await page.getByRole('button', { name: 'Done' }).click()
  await expect(page.getByRole('row', { name: /laptop/ })).toContainText('never')
  await expectAccessible(page)

  await page.context().clearCookies()
  await page.goto('/auth/login')
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click()
  await expect(page.locator('.dashboard')).toBeVisible()

  await page.context().clearCookies()
  await page.goto('/auth/login')
  await page.fill("input[name='username']", 'keyed')
  await page.fill("input[name='password']", password)
  await page.click("button[type='submit']")
  await page.getByRole('button', { name: 'Use a passkey' }).click()
  await expect(page.locator('.dashboard')).toBeVisible()

  await page.goto('/settings/security')
  await page.getByRole('button', { name: 'Remove laptop' }).click()
  await dialog.getByLabel('Present password').fill(password)
  await dialog.getByRole('button', { name: 'Remove' }).click()
  await expect(page.getByText('You have none.')).toBeVisible()
})

test('a passkey that is the only second factor, where one is needed, is not removed', async ({ page, server, signIn, api, allow }) => {
  test.setTimeout(120_000)
  allow(/status of 409/)
  const { id } = (await api.send('POST', '/api/v1/tenants', { name: 'one-way-in' })) as { id: string }
  await api.send('POST', '/api/v1/users', { username: 'sole', email: 'sole@example.org', password, role: 'developer', tenant: id })
  await authenticator(page)
  await signIn('sole')
  await page.goto('/settings/security')
  await addPasskey(page, 'laptop')
  await api.send('PATCH', `/api/v1/tenants/${id}`, { require_second_factor: true })

  const dialog = page.getByRole('dialog')
  const remove = async (name: string) => {
    await page.getByRole('button', { name: `Remove ${name}` }).click()
    await dialog.getByLabel('Present password').fill(password)
    await dialog.getByRole('button', { name: 'Remove' }).click()
  }
  await remove('laptop')
  await expect(dialog.getByRole('alert')).toContainText('this passkey is your only one; add another passkey or turn the authenticator app on first')
  await expectAccessible(page)
  await dialog.getByRole('button', { name: 'Cancel' }).click()
  const sole = new Client(server.url)
  const signedIn = (await sole.send('POST', '/api/auth/login', { username: 'sole', password })) as { two_factor_required?: boolean }
  expect(signedIn.two_factor_required).toBe(true) // the refused one is asked for
  await page.reload()
  await expect(page.getByRole('row', { name: /laptop/ })).toBeVisible()

  await authenticator(page, 'usb')
  await addPasskey(page, 'phone')
  await remove('laptop')
  await expect(page.getByRole('row', { name: /laptop/ })).toHaveCount(0)
  await expect(page.getByRole('row', { name: /phone/ })).toBeVisible()
})

test('an account can be made only where registration is open', async ({ page, own }) => {
  await page.goto('/auth/login')
  await expect(page.getByRole('link', { name: 'Create an account' })).toBeVisible()
  const invited = await own(['--sim'], { NOVACRON_REGISTRATION: 'invited' })
  await invited.page.goto('/auth/login')
  await expect(invited.page.getByRole('button', { name: 'Sign in with a passkey' })).toBeVisible()
  await expect(invited.page.getByRole('link', { name: 'Create an account' })).toHaveCount(0)
})
