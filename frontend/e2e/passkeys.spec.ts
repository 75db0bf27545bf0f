import { password } from './server.ts'
import { expect, expectAccessible, test } from './story.ts'

test('a passkey is made, signs in alone and as the second factor, and is removed', async ({ page, server, signIn, allow }) => {
  test.setTimeout(120_000)
  allow(/status of (403|422)/)
  await server.createUser('keyed', 'developer')
  const device = await page.context().newCDPSession(page)
  await device.send('WebAuthn.enable')
  await device.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  })
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

test('an account can be made only where registration is open', async ({ page, own }) => {
  await page.goto('/auth/login')
  await expect(page.getByRole('link', { name: 'Create an account' })).toBeVisible()
  const invited = await own(['--sim'], { NOVACRON_REGISTRATION: 'invited' })
  await invited.page.goto('/auth/login')
  await expect(invited.page.getByRole('button', { name: 'Sign in with a passkey' })).toBeVisible()
  await expect(invited.page.getByRole('link', { name: 'Create an account' })).toHaveCount(0)
})
