import type { Page } from '@playwright/test'
import { keepNews, stalled } from './news.ts'
import { Client, password } from './server.ts'
import { expect, expectAccessible, test } from './story.ts'
import { totp } from './totp.ts'

async function enter(page: Page, name: string, phrase = password) {
  await page.goto('/auth/login')
  await page.fill("input[name='username']", name)
  await page.fill("input[name='password']", phrase)
  await page.click("button[type='submit']")
}

test('the second factor is turned on by a right code, its backup codes kept and made anew, and turned off again', async ({
  page,
  server,
  signIn,
  allow,
}) => {
  test.setTimeout(240_000)
  allow(/status of (403|422)/)
  await server.createUser('guarded', 'developer')
  await signIn('guarded')
  await page.goto('/settings/security')
  await page.getByRole('button', { name: 'Turn it on' }).click()
  await expect(page.getByRole('img', { name: /The key as a picture/ })).toBeVisible()
  const width = () => page.getByRole('img', { name: /The key/ }).evaluate((i: HTMLImageElement) => i.naturalWidth)
  await expect.poll(width).toBeGreaterThan(100)
  await expectAccessible(page)
  const secret = ((await page.locator('.command code').textContent()) ?? '').replaceAll(' ', '')
  await page.getByLabel('Code that the app shows').fill('000000')
  await page.getByRole('button', { name: 'Turn it on' }).click()
  await expect(page.getByText('The code is wrong or was used')).toBeVisible()
  await page.getByLabel('Code that the app shows').fill(totp(secret))
  await page.getByRole('button', { name: 'Turn it on' }).click()

  const codes = page.locator('.codes li')
  await expect(codes).toHaveCount(10)
  const download = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Download' }).click()
  expect((await download).suggestedFilename()).toBe('novacron-backup-codes.txt')
  await expectAccessible(page)
  const done = page.getByRole('button', { name: 'Done' })
  await expect(done).toHaveAttribute('aria-disabled', 'true')
  await page.getByLabel('I have kept them').check()
  await done.click()
  await expect(page.getByText('10 backup codes left')).toBeVisible()

  await page.getByRole('button', { name: 'Make new backup codes' }).click()
  await page.getByLabel('Present password').fill('not the password')
  await page.getByRole('button', { name: 'Make new ones' }).click()
  await expect(page.getByText('The present password is wrong')).toBeVisible()
  await page.getByLabel('Present password').fill(password)
  await page.getByRole('button', { name: 'Make new ones' }).click()
  await expect(codes).toHaveCount(10)
  await page.getByLabel('I have kept them').check()
  await done.click()

  await page.context().clearCookies()
  await enter(page, 'guarded')
  await page.locator("input[name='code']").fill(totp(secret, 1))
  await expect(page.locator('.dashboard')).toBeVisible()

  await page.goto('/settings/security')
  await page.getByRole('button', { name: 'Turn it off' }).click()
  await page.getByLabel('Present password').fill(password)
  await page.getByRole('dialog').getByRole('button', { name: 'Turn it off' }).click()
  await expect(page.getByText('The second factor is off.')).toBeVisible()
  await page.context().clearCookies()
  await enter(page, 'guarded')
  await expect(page.locator('.dashboard')).toBeVisible()
})

test('another browser is signed out within five seconds, one at a time or all others at once', async ({
  page,
  server,
  visit,
  signIn,
  allow,
}) => {
  allow(/status of 401/)
  await server.createUser('roaming', 'developer')
  const others = [await visit(), await visit()]
  for (const other of others) {
    await keepNews(other.context())
    await enter(other, 'roaming')
    await expect(other.getByText('Live', { exact: true })).toBeVisible()
    await other.goto('/vms?status=running')
    await expect(other.getByText('Live', { exact: true })).toBeVisible()
  }
  await signIn('roaming')
  await page.goto('/settings/sessions')
  await expect(page.getByRole('row', { name: /this one/ })).toHaveCount(1)
  await expectAccessible(page)
  const end = page.getByRole('button', { name: /^Sign out Chrome/ })
  await expect(end).toHaveCount(2)
  const stalls = await Promise.all(others.map(stalled))
  /** Which of these is out first, and how long that took without the time in which the machine did not let its page run. */
  const out = async (begun: number, of: readonly number[]) => {
    const first = await Promise.race(of.map((i) => others[i]?.waitForURL(/\/auth\/login\?next=%2Fvms%3Fstatus%3Drunning$/).then(() => i)))
    const i = first ?? 0
    const took = Date.now() - begun
    const late = (await stalled(others[i] as Page)) - (stalls[i] ?? 0)
    console.log(`signed out elsewhere: out after ${took} ms, ${Math.round(late)} ms of them not let run`)
    expect(took - late).toBeLessThan(5_000)
    return i
  }
  const told = page.waitForResponse((r) => r.request().method() === 'DELETE' && r.url().includes('/api/auth/sessions'))
  await end.first().click()
  await told
  const gone = await out(Date.now(), [0, 1])
  await expect(page.getByText('was signed out.')).toBeVisible()
  await expect(end).toHaveCount(1)
  const toldAgain = page.waitForResponse((r) => r.request().method() === 'DELETE' && r.url().includes('/api/auth/sessions'))
  await page.getByRole('button', { name: 'Sign out everywhere else' }).click()
  await toldAgain
  await out(Date.now(), [1 - gone])
  for (const other of others) await expect(other.getByText('Your session has ended.')).toBeVisible()
  await expect(end).toHaveCount(0)
  await page.reload()
  await expect(page.locator('.user-menu')).toContainText('roaming') // this one goes on
})

test('an API token is shown once, does what it may and no more, and nothing after it was revoked', async ({
  page,
  server,
  signIn,
}) => {
  await signIn()
  await page.goto('/settings/tokens')
  await page.getByRole('button', { name: 'Make a token' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name').fill('reader')
  await dialog.getByRole('radio', { name: 'Only what you choose' }).check()
  await dialog.getByRole('button', { name: 'Make a token' }).click()
  await expect(dialog.getByText('Choose at least one action.')).toBeVisible()
  await dialog.getByLabel('vm.read', { exact: true }).check()
  await expectAccessible(page)
  await dialog.getByRole('button', { name: 'Make a token' }).click()
  const secret = (await dialog.locator('.command code').first().textContent()) ?? ''
  expect(secret).toMatch(/^novacron_/)
  await expectAccessible(page)
  const ask = async (path: string) =>
    (await fetch(server.url + path, { headers: { Authorization: `Bearer ${secret}` } })).status
  expect(await ask('/api/v1/vms')).toBe(200)
  expect(await ask('/api/v1/users')).toBe(403)
  await dialog.getByRole('button', { name: 'Close' }).click()
  await page.reload()
  const row = page.getByRole('row', { name: /reader/ })
  await expect(row).toContainText('1 action')
  await expect(row).toContainText('in 3 mo.')
  await expect(row).not.toContainText('never') // it was used
  expect(await page.content()).not.toContain(secret)
  await row.getByRole('button', { name: 'Revoke reader' }).click()
  await dialog.getByRole('button', { name: 'Revoke' }).click()
  await expect(page.getByText('reader was revoked.')).toBeVisible()
  expect(await ask('/api/v1/vms')).toBe(401)
})

test('the password and the e-mail address are changed with the present password', async ({ page, server, signIn, allow }) => {
  allow(/status of (401|403|422)/)
  const next = 'quite another phrase for the tests'
  await server.createUser('moving', 'developer')
  await signIn('moving')
  await page.goto('/settings')
  await expect(page.getByText('moving@example.org')).toBeVisible()
  await expectAccessible(page)
  await page.getByRole('button', { name: 'Change the e-mail address' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('New e-mail address').fill('moved@example.org')
  await dialog.getByLabel('Present password').fill(password)
  await dialog.getByRole('button', { name: 'Send the link' }).click()
  await expect(page.getByRole('status').filter({ hasText: 'moved@example.org' })).toBeVisible()
  await expect(page.getByText('moving@example.org')).toBeVisible() // until the link is opened
  await page.goto(await server.mailLink('new_email', 'moved@example.org'))
  await expect(page.getByText('Your address is confirmed.')).toBeVisible()
  expect(page.url()).not.toContain('#')
  await page.getByRole('link', { name: 'To the settings' }).click()
  await expect(page.getByText('moved@example.org')).toBeVisible()

  await page.goto('/settings/security')
  await page.getByRole('button', { name: 'Change the password' }).click()
  await dialog.getByLabel('Present password').fill('not the password')
  await dialog.getByLabel('New password').fill(next)
  await dialog.getByRole('button', { name: 'Change it' }).click()
  await expect(dialog.getByText('The present password is wrong')).toBeVisible()
  await dialog.getByLabel('Present password').fill(password)
  await dialog.getByLabel('New password').fill('password1234')
  await dialog.getByRole('button', { name: 'Change it' }).click()
  await expect(dialog.getByText('guessed first')).toBeVisible()
  await expectAccessible(page)
  await dialog.getByLabel('New password').fill(next)
  await dialog.getByRole('button', { name: 'Change it' }).click()
  await expect(page.getByText('The new password holds.')).toBeVisible()
  await page.reload()
  await expect(page.locator('.user-menu')).toContainText('moving') // this session goes on
  await page.context().clearCookies()
  await enter(page, 'moving')
  await expect(page.getByRole('alert')).toContainText('wrong')
  await page.fill("input[name='password']", next)
  await page.click("button[type='submit']")
  await expect(page.locator('.dashboard')).toBeVisible()
})

test('where a second factor is required, whoever has none turns one on before anything else', async ({
  page,
  server,
  api,
  allow,
}) => {
  allow(/status of 40[13]/)
  await server.createUser('late', 'developer')
  const strict = (await api.send('POST', '/api/v1/tenants', { name: 'strict' })) as { id: string }
  await api.send('PATCH', '/api/v1/users/late', { tenant: 'strict' })
  await enter(page, 'late')
  await expect(page.locator('.dashboard')).toBeVisible()
  await api.send('PATCH', `/api/v1/tenants/${strict.id}`, { require_second_factor: true })
  await page.getByRole('link', { name: 'Images' }).click()
  await expect(page).toHaveURL(/\/auth\/enrol\?next=%2Fimages$/)
  await expect(page.locator('.command code')).toBeVisible() // what this page asked is answered: the answer below is for the next one
  // As of a session whose sign-in is more than ten minutes old: whoever finds it open must not lock its owner out.
  await page.route('**/api/auth/2fa/setup', (route) =>
    route.fulfill({ status: 403, contentType: 'application/problem+json', body: JSON.stringify({ status: 403, code: 'proof_needed', detail: 'who is there?' }) }),
    { times: 1 },
  )
  await page.goto('/vms')
  await expect(page).toHaveURL(/\/auth\/enrol\?next=%2Fvms$/)
  const proof = page.getByRole('dialog', { name: 'Is it you?' })
  await proof.getByLabel('Present password').fill(password)
  await proof.getByRole('button', { name: 'Go on' }).click()
  await expect(proof).toHaveCount(0)
  await expect(page.getByText('A second factor is required here')).toBeVisible()
  await expectAccessible(page)
  const secret = ((await page.locator('.command code').textContent()) ?? '').replaceAll(' ', '')
  await page.getByLabel('Code that the app shows').fill(totp(secret))
  await page.getByRole('button', { name: 'Turn it on' }).click()
  await page.getByLabel('I have kept them').check()
  await page.getByRole('button', { name: 'Go on' }).click()
  await expect(page).toHaveURL(/\/vms$/)
  await expect(page.getByRole('heading', { name: 'Virtual machines' })).toBeVisible()
  await expect(new Client(server.url).login('late').then((c) => c.send('GET', '/api/v1/vms'))).rejects.toThrow('401') // a code is asked for
})
