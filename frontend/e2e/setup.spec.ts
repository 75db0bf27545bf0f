import { expect, expectAccessible, test } from './story.ts'

test('from an empty database to a running VM without a terminal, whatever is loaded again on the way', async ({ own, allow }) => {
  test.setTimeout(120_000)
  allow(/status of (401|403|404|409|410)/) // the link that was used
  const { server: fresh, page, visit } = await own()
  await page.goto(fresh.setupLink())
  await expect(page).not.toHaveURL(/#/) // the secret has left the address
  await page.getByLabel('User name').fill('grace')
  await page.getByLabel('E-mail').fill('grace@example.org')
  await page.getByLabel('Password').fill('a long phrase of her own')
  await expectAccessible(page)
  await page.getByRole('button', { name: 'Create the account' }).click()

  await expect(page.getByRole('heading', { name: 'Your machines' })).toBeVisible()
  await page.reload()
  await expect(page.getByRole('list').filter({ hasText: 'Acceleration' })).toContainText('tcg')
  await page.getByRole('button', { name: 'Make a join command' }).click()
  await expect(page.locator('code')).toContainText(/\S{20}/)
  await expectAccessible(page)
  await page.getByRole('link', { name: 'Continue' }).click()

  await expect(page.getByRole('list', { name: 'Images' })).toContainText('tiny')
  await page.reload()
  await expect(page.getByRole('list', { name: 'Images' })).toContainText('ready')
  await page.getByText('Fetch one that a distribution publishes').click()
  await expect(page.getByRole('button', { name: /^Import/ }).first()).toBeVisible()
  await expectAccessible(page)
  await page.getByRole('link', { name: 'Continue' }).click()

  await expect(page.getByLabel('Image')).toContainText('tiny')
  await expectAccessible(page)
  await page.getByRole('button', { name: 'Create a VM' }).click()
  await page.getByRole('button', { name: 'Open first' }).click()
  await expect(page.locator('.page-head .state')).toHaveText('running')
  await expect(page.locator('.user-menu')).toContainText('grace')

  const second = await visit()
  await second.goto(fresh.setupLink())
  await second.getByLabel('User name').fill('mallory')
  await second.getByLabel('E-mail').fill('mallory@example.org')
  await second.getByLabel('Password').fill('another long phrase')
  await second.getByRole('button', { name: 'Create the account' }).click()
  await expect(second.getByRole('alert')).toBeVisible()
  await second.goto(`${fresh.url}/setup?step=nodes`)
  await expect(second).toHaveURL(/auth\/login/) // the steps are for who is signed in
})
