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
  // For ten seconds two tabs may show the same refresh token; after that it was somebody else.
  const ended = page.getByText('Your session was used from two places')
  await expect(async () => {
    await page.goto('/images')
    await expect(ended.or(page.getByRole('row', { name: /^tiny/ }))).toBeVisible()
    expect(await ended.isVisible()).toBe(true)
  }).toPass({ timeout: 60_000 })
  await expect(page).toHaveURL(/\/auth\/login\?next=%2Fimages$/)
})
