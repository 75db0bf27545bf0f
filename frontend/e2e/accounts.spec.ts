import { MailSink } from './smtp.ts'
import { Client, password } from './server.ts'
import { expect, expectAccessible, test } from './story.ts'
import { totp } from './totp.ts'

const other = 'quite another phrase for the tests'

test('a forgotten password is chosen anew with the link of the mail, once, and other sessions end', async ({
  page,
  server,
  visit,
  allow,
}) => {
  allow(/status of (401|422)/)
  await server.createUser('forgetful', 'developer')
  const elsewhere = await visit()
  await elsewhere.goto('/auth/login')
  await elsewhere.fill("input[name='username']", 'forgetful')
  await elsewhere.fill("input[name='password']", password)
  await elsewhere.click("button[type='submit']")
  await expect(elsewhere.locator('.dashboard')).toBeVisible()

  await page.goto('/auth/login')
  await page.getByRole('link', { name: 'Forgot your password?' }).click()
  for (const email of ['forgetful@example.org', 'nobody@example.org']) {
    await page.goto('/auth/forgot-password')
    await page.getByLabel('E-mail').fill(email)
    await page.getByRole('button', { name: 'Send the link' }).click()
    await expect(page.getByRole('status')).toContainText('If there is an account with this address')
  }
  expect(await server.mailLink('no_account', 'nobody@example.org')).toBe('')

  const link = await server.mailLink('reset', 'forgetful@example.org')
  const secret = new URL(link).hash.slice(1)
  expect(secret).not.toBe('')
  const told: string[] = []
  page.on('request', (r) => told.push(`${r.url()} ${JSON.stringify(r.headers())}`))
  await page.goto(link)
  await page.getByLabel('New password').fill('short')
  await expect(page).toHaveURL(/\/auth\/reset-password$/)
  await page.getByLabel('New password').fill('password1234')
  await page.getByRole('button', { name: 'Set the password' }).click()
  await expect(page.getByText('guessed first')).toBeVisible() // and the link is not spent by it
  await page.getByLabel('New password').fill(other)
  await page.getByRole('button', { name: 'Set the password' }).click()
  await expect(page.getByRole('status')).toContainText('The new password holds')
  expect(told.filter((t) => t.includes(secret))).toEqual([])

  await expect(elsewhere).toHaveURL(/auth\/login/)
  await page.getByRole('link', { name: 'To the sign-in' }).click()
  await page.fill("input[name='username']", 'forgetful')
  await page.fill("input[name='password']", other)
  await page.click("button[type='submit']")
  await expect(page.locator('.dashboard')).toBeVisible()

  await page.goto(link)
  await page.getByLabel('New password').fill('a third phrase for the tests')
  await page.getByRole('button', { name: 'Set the password' }).click()
  await expect(page.getByRole('alert')).toContainText('was used or has ended')
  await expect(page.getByRole('link', { name: 'Send a new link' })).toBeVisible()
})

test('an account is registered, its address confirmed with the mail, and only then signs in', async ({ own, allow }) => {
  allow(/status of (401|403|422)/)
  const sink = await MailSink.start()
  try {
    const { page } = await own(['--sim'], {
      NOVACRON_SMTP_URL: sink.url,
      NOVACRON_SMTP_FROM: 'cloud@example.org',
      NOVACRON_LIMIT_REGISTER: 'off',
    })
    await page.goto('/auth/login')
    await page.getByRole('link', { name: 'Create an account' }).click()
    await expect(page.getByRole('heading', { name: 'Create an account' })).toBeVisible()
    await page.getByLabel('User name').fill('new one')
    await page.getByLabel('E-mail').fill('newcomer@example.org')
    await page.getByLabel('Password', { exact: true }).fill(password)
    await page.getByRole('button', { name: 'Create the account' }).click()
    await expect(page.getByText('A user name has')).toBeVisible()
    await page.getByLabel('User name').fill('newcomer')
    await page.getByRole('button', { name: 'Create the account' }).click()
    await expect(page.getByRole('heading', { name: 'Check your inbox' })).toBeVisible()

    await page.goto('/auth/login')
    await page.fill("input[name='username']", 'newcomer')
    await page.fill("input[name='password']", password)
    await page.click("button[type='submit']")
    await expect(page.getByRole('alert')).toContainText('Open the link in the mail')
    await expect.poll(() => sink.link('newcomer@example.org')).not.toBe('')
    const first = sink.link('newcomer@example.org')
    await page.getByRole('link', { name: 'Send the mail again' }).click()
    await expect(page.getByRole('heading', { name: 'Confirm your e-mail address' })).toBeVisible()
    await page.getByLabel('E-mail').fill('newcomer@example.org')
    await page.getByRole('button', { name: 'Send another link' }).click()
    await expect(page.getByRole('status')).toContainText('a mail is on its way')
    await expect.poll(() => sink.link('newcomer@example.org')).not.toBe(first)

    await page.goto(first)
    await expect(page.getByRole('alert')).toContainText('was used or has ended') // a newer one took its place
    await page.goto(sink.link('newcomer@example.org'))
    await expect(page.getByText('Your address is confirmed.')).toBeVisible()
    await expect(page).toHaveURL(/\/auth\/verify-email$/)
    await page.getByRole('link', { name: 'To the sign-in' }).click()
    await page.fill("input[name='username']", 'newcomer')
    await page.fill("input[name='password']", password)
    await page.click("button[type='submit']")
    await expect(page.locator('.user-menu')).toContainText('newcomer')
  } finally {
    sink.stop()
  }
})

test('an invitation makes an account with its role in its tenant, once', async ({ page, api, allow }) => {
  allow(/status of 40[19]/)
  await api.send('POST', '/api/v1/tenants', { name: 'guests' })
  const { url } = (await api.send('POST', '/api/v1/invites', {
    email: 'invited@example.org',
    role: 'viewer',
    tenant: 'guests',
  })) as { url: string }
  for (const name of ['invited', 'greedy']) {
    await page.goto(url)
    await expect(page.getByText('You are invited')).toBeVisible()
    expect(page.url()).not.toContain('#')
    await page.getByLabel('User name').fill(name)
    await page.getByLabel('E-mail').fill(`${name}@example.org`)
    await page.getByLabel('Password', { exact: true }).fill(password)
    await page.getByRole('button', { name: 'Create the account' }).click()
    if (name === 'invited') await expect(page.getByRole('status')).toContainText('You can sign in now')
    else await expect(page.getByRole('alert')).toContainText('was used or has ended')
  }
  const { items } = (await api.send('GET', '/api/v1/users?limit=1000')) as { items: { username: string; role: string }[] }
  expect(items.filter((u) => ['invited', 'greedy'].includes(u.username))).toEqual([
    expect.objectContaining({ username: 'invited', role: 'viewer' }),
  ])
})

test('a second factor ends the sign-in: a code once, a backup code once, and nothing without the password', async ({
  page,
  server,
  allow,
}) => {
  allow(/status of (401|429)/)
  await server.createUser('careful', 'developer')
  const own = await new Client(server.url).login('careful')
  const { secret } = (await own.send('POST', '/api/auth/2fa/setup')) as { secret: string }
  const used = totp(secret)
  const { backup_codes: codes } = (await own.send('POST', '/api/auth/2fa/enable', { code: used })) as { backup_codes: string[] }
  const begin = async () => {
    await page.context().clearCookies()
    await page.goto('/auth/login?next=/vms')
    await page.fill("input[name='username']", 'careful')
    await page.fill("input[name='password']", password)
    await page.click("button[type='submit']")
    await expect(page).toHaveURL(/\/auth\/2fa\?next=%2Fvms$/)
  }
  const code = page.locator("input[name='code']")

  await page.goto('/auth/2fa')
  await expect(page).toHaveURL(/\/auth\/login/)

  await begin()
  await expectAccessible(page)
  await code.fill(used)
  await expect(page.getByText('The code is wrong or was used')).toBeVisible()
  await expect(code).toBeFocused()
  await code.fill(totp(secret, 1)) // goes off with the sixth digit
  await expect(page).toHaveURL(/\/vms$/)

  await begin()
  await page.reload()
  await expect(page).toHaveURL(/\/auth\/login\?next=%2Fvms$/)

  await begin()
  await page.getByRole('button', { name: 'Use a backup code' }).click()
  await page.getByLabel('Backup code').fill(codes[0] ?? '')
  await page.getByRole('button', { name: 'Go on' }).click()
  await expect(page).toHaveURL(/\/vms$/)
  await expect(page.getByText('9 backup codes are left.')).toBeVisible()

  await begin()
  await page.getByRole('button', { name: 'Use a backup code' }).click()
  for (let tries = 0; tries < 6; tries++) {
    const answer = page.waitForResponse('**/verify-login') // wrong, and too early after some
    await page.getByLabel('Backup code').fill(codes[0] ?? '')
    await page.getByRole('button', { name: 'Go on' }).click()
    await answer
  }
  await expect(page.getByText('Begin again')).toBeVisible()
  await expect(page).toHaveURL(/\/auth\/login/)
})

test('the pages before the sign-in are accessible, on phones too', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 })
  for (const path of ['register#some-secret', 'forgot-password', 'reset-password', 'reset-password#some-secret', 'verify-email']) {
    await page.goto(`/auth/login`)
    await page.goto(`/auth/${path}`)
    await page.getByRole('heading', { level: 1 }).waitFor()
    await expectAccessible(page)
    expect(page.url()).not.toContain('some-secret')
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390)
  }
})
