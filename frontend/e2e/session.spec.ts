import { Client, password } from './server.ts'
import { expect, expectAccessible, test } from './story.ts'

test('a session that ends while a form is filled in is begun again without losing what was typed', async ({
  page,
  server,
  signIn,
  allow,
}) => {
  allow(/status of 401/)
  await server.createUser('writer', 'developer')
  await signIn('writer')
  await page.goto('/vms/new')
  await page.getByLabel('Name').fill('typed-before')
  await expect(page.getByText('Live', { exact: true })).toBeVisible()
  const elsewhere = await new Client(server.url).login('writer')
  await elsewhere.send('DELETE', '/api/auth/sessions?others=true')
  const cover = page.getByRole('dialog', { name: 'Sign in again' })
  await expect(cover).toBeVisible()
  await expect(page).toHaveURL(/\/vms\/new$/)
  await expectAccessible(page)
  await page.keyboard.press('Escape')
  await page.keyboard.press('Escape')
  await expect(cover).toBeVisible()
  await cover.getByLabel('Password', { exact: true }).fill('not the password')
  await cover.getByRole('button', { name: 'Sign in' }).click()
  await expect(cover.getByRole('alert')).toContainText('wrong')
  await cover.getByLabel('Password', { exact: true }).fill(password)
  await cover.getByRole('button', { name: 'Sign in' }).click()
  await expect(cover).toHaveCount(0)
  await expect(page.getByLabel('Name')).toHaveValue('typed-before')
  await expect(page.getByText('Live', { exact: true })).toBeVisible()

  await elsewhere.send('DELETE', '/api/auth/sessions?others=true')
  await cover.getByRole('button', { name: 'Leave the page' }).click()
  await expect(page).toHaveURL(/\/auth\/login/)
})

test('a stolen session is ended, and the page says so', async ({ page, context, server, signIn, allow }) => {
  allow(/status of 401/)
  await server.createUser('victim', 'developer')
  await signIn('victim')
  const cookie = (await context.cookies(`${server.url}/api/auth`)).map((c) => `${c.name}=${c.value}`).join('; ')
  const thief = await fetch(`${server.url}/api/auth/refresh`, { method: 'POST', headers: { Cookie: cookie } })
  expect(thief.status).toBe(200)
  // For ten seconds it might have been another tab, or this one whose answer was lost; after that it was somebody else.
  const used = Date.now()
  await expect.poll(() => Date.now() - used, { timeout: 30_000 }).toBeGreaterThan(10_500)
  await page.goto('/images')
  await expect(page.getByText('Your session was used from two places')).toBeVisible()
  await expect(page).toHaveURL(/\/auth\/login\?next=%2Fimages$/)
})

test('a sign-in that is quicker than the answer to what the page asked first holds', async ({ page }) => {
  let answer = () => {}
  const held = new Promise<void>((go) => (answer = go))
  await page.route('**/api/auth/refresh', async (route) => {
    await held
    await route.continue()
  })
  await page.goto('/auth/login')
  await page.fill("input[name='username']", 'ada')
  await page.fill("input[name='password']", password)
  const before = page.waitForResponse('**/api/auth/login', { timeout: 1_000 }).catch(() => undefined)
  await page.click("button[type='submit']")
  await before // it does not come: the sign-in waits
  const nobody = page.waitForResponse('**/api/auth/refresh')
  answer()
  await nobody
  await page.locator('.dashboard').waitFor()
  await expect(page.getByText('Live', { exact: true })).toBeVisible()
})
