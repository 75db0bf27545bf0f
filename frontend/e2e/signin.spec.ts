import { password } from './server.ts'
import { expect, expectAccessible, test } from './story.ts'

for (const [width, height] of [
  [800, 600],
  [1280, 720],
  [390, 844],
] as const) {
  test(`signs in at ${width}×${height} with the selectors that scripts use`, async ({ page }) => {
    await page.setViewportSize({ width, height })
    await page.goto('/auth/login')
    for (const selector of ["input[name='username']", "input[name='password']", "button[type='submit']"])
      await expect(page.locator(selector)).toHaveCount(1)
    await page.fill("input[name='username']", 'ada')
    await page.fill("input[name='password']", password)
    await page.click("button[type='submit']")
    await expect(page.locator('.dashboard')).toBeVisible()
    await expect(page.locator('.user-menu')).toContainText('ada')
    await expect(page.locator('.user-menu').getByText('ada', { exact: true })).toBeInViewport()
    await page.goto('/vms')
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
    await expect(page.locator('.dashboard')).toHaveCount(0)
  })
}

test('a wrong password says no more than it must, and keeps the name', async ({ page, allow }) => {
  allow(/status of 401/)
  for (const name of ['ada', 'nobody-of-that-name']) {
    await page.goto('/auth/login')
    await page.fill("input[name='username']", name)
    await page.fill("input[name='password']", 'wrong password here')
    await page.keyboard.press('Enter')
    await expect(page.getByRole('alert')).toHaveText('The user name or the password is wrong.')
    await expect(page.locator("input[name='username']")).toHaveValue(name)
    await expect(page.locator("input[name='password']")).toHaveValue('')
    await expect(page.locator("input[name='password']")).toBeFocused()
  }
})

test('goes back to where the sign-in was asked for, and never to another host', async ({ page }) => {
  await page.goto('/operations?status=failed')
  await expect(page).toHaveURL(/auth\/login/)
  await page.fill("input[name='username']", 'ada@example.org')
  await page.fill("input[name='password']", password)
  await page.click("button[type='submit']")
  await expect(page).toHaveURL(/\/operations\?status=failed$/)
  await page.goto('/auth/login?next=https://evil.example')
  await expect(page).toHaveURL(/\/dashboard$/)
})

test('a reload keeps the session, and no token lies in storage', async ({ page, signIn }) => {
  await signIn()
  await page.reload()
  await expect(page.locator('.user-menu')).toContainText('ada')
  expect(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }))).not.toContain('eyJ')
})

test('signing out in one tab signs out in every tab', async ({ page, context, signIn }) => {
  await signIn()
  const second = await context.newPage()
  await second.goto('/vms')
  await expect(second.locator('.user-menu')).toContainText('ada')
  await page.getByRole('button', { name: 'Account of ada' }).click()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await expect(page).toHaveURL(/auth\/login/)
  await expect(second).toHaveURL(/auth\/login/)
  await page.goBack()
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible()
})

test('the theme is chosen, kept and there before the first paint', async ({ page, signIn }) => {
  await signIn()
  await page.goto('/settings/appearance')
  await page.getByRole('radio', { name: 'Dark' }).check()
  await page.reload({ waitUntil: 'commit' })
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark')
})

test('the sign-in and the setup page are accessible', async ({ page }) => {
  await page.goto('/auth/login')
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await expectAccessible(page)
  await page.goto('/setup#some-token')
  await page.getByLabel('E-mail').waitFor()
  await expectAccessible(page)
  expect(page.url()).not.toContain('some-token')
})

test('a path that is no place says so', async ({ page }) => {
  await page.goto('/no/such/place')
  await expect(page.getByRole('heading', { name: 'There is no such page' })).toBeVisible()
})
