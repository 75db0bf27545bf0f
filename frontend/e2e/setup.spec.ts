import { Server } from './server.ts'
import { expect, test } from './story.ts'

test('the one-time link makes the first administrator, once', async ({ browser }) => {
  const fresh = await Server.start()
  try {
    const page = await browser.newPage()
    await page.goto(fresh.setupLink())
    await page.getByLabel('User name').fill('grace')
    await page.getByLabel('E-mail').fill('grace@example.org')
    await page.getByLabel('Password').fill('a long phrase of her own')
    await page.getByRole('button', { name: 'Create the account' }).click()
    await expect(page.locator('.dashboard')).toBeVisible()
    await expect(page.locator('.user-menu')).toContainText('grace')
    const second = await browser.newPage()
    await second.goto(fresh.setupLink())
    await second.getByLabel('User name').fill('mallory')
    await second.getByLabel('E-mail').fill('mallory@example.org')
    await second.getByLabel('Password').fill('another long phrase')
    await second.getByRole('button', { name: 'Create the account' }).click()
    await expect(second.getByRole('alert')).toBeVisible()
  } finally {
    await fresh.stop()
  }
})
