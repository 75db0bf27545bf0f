import type { Page } from '@playwright/test'
import { password } from './server.ts'
import { expect, expectAccessible, test } from './story.ts'

/** Walks on with Tab until the focus is on what bears the name. */
async function tabTo(page: Page, role: 'button' | 'link' | 'textbox' | 'checkbox', name: string | RegExp) {
  const wanted = page.getByRole(role, { name }).first()
  await wanted.waitFor()
  await expect(async () => {
    await page.keyboard.press('Tab')
    await expect(wanted).toBeFocused({ timeout: 50 })
  }).toPass({ intervals: [0], timeout: 30_000 })
}

for (const [where, width, height, text] of [
  ['on a phone in the dark', 390, 844, '100%'],
  ['with letters twice as large', 1280, 720, '200%'],
] as const)
  test(`signs in, makes a VM, stops it and deletes it in a list with the keyboard alone, ${where}`, async ({ page, api }) => {
    test.setTimeout(240_000)
    await page.setViewportSize({ width, height })
    await page.emulateMedia({ reducedMotion: 'reduce', colorScheme: 'dark' })
    await page.addInitScript((size) => {
      addEventListener('DOMContentLoaded', () => {
        document.documentElement.style.fontSize = `calc(0.8125rem * ${Number.parseInt(size) / 100})`
      })
    }, text)
    const fits = async () => {
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      expect(wider, `pixels that have to be scrolled sideways at ${page.url()}`).toBeLessThanOrEqual(0)
    }
    const name = `typed-${width}`
    await page.goto('/auth/login')
    await tabTo(page, 'textbox', 'User name or e-mail')
    await fits()
    await page.keyboard.type('ada')
    await tabTo(page, 'textbox', 'Password')
    await page.keyboard.type(password)
    await page.keyboard.press('Enter')
    await page.locator('.dashboard').waitFor()
    await fits()
    await tabTo(page, 'link', 'Create a VM')
    await page.keyboard.press('Enter')
    await tabTo(page, 'textbox', 'Name')
    await fits()
    await page.keyboard.type(name)
    await page.keyboard.press('Enter')
    await expect(page.getByRole('heading', { level: 1, name })).toBeVisible()
    await expect(page.locator('.page-head .state')).toHaveText('running')
    await fits()
    await tabTo(page, 'button', 'Stop')
    await expect(page.getByRole('button', { name: 'Stop', exact: true })).not.toHaveAttribute('aria-disabled')
    await page.keyboard.press('Enter')
    await expect(page.locator('.page-head .state')).toHaveText('stopped')
    await expectAccessible(page)
    // Nothing moves for who asked for that.
    const moving = () => [...document.querySelectorAll('*')].filter((e) => parseFloat(getComputedStyle(e).transitionDuration) > 0 || getComputedStyle(e).animationName !== 'none').length
    expect(await page.evaluate(moving)).toBe(0)

    await page.goto(`/vms?name=${name}`)
    await tabTo(page, 'checkbox', `Choose ${name}`)
    await page.keyboard.press('Space')
    await expect(page.getByText('1 VM chosen')).toBeVisible()
    await fits()
    await tabTo(page, 'button', 'Delete')
    await page.keyboard.press('Enter')
    await tabTo(page, 'textbox', 'Type 1 to confirm')
    await page.keyboard.type('1')
    await page.keyboard.press('Enter')
    await expect(page.getByText('Delete: 1 done, 0 failed, 0 skipped')).toBeVisible()
    const { total } = (await api.send('GET', `/api/v1/vms?name=${name}`)) as { total: number }
    expect(total).toBe(0)
  })
