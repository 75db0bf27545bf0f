import { password } from './server.ts'
import { expect, expectAccessible, test } from './story.ts'

test('a tenant is made, its quota shows beside what is used, is changed, and holds', async ({ page, signIn, api, allow }) => {
  allow(/status of (409|422)/)
  await signIn()
  await page.goto('/admin/tenants')
  await page.getByRole('button', { name: 'Create a tenant' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name').fill('acme')
  await dialog.getByLabel('Memory').fill('much')
  await dialog.getByLabel('VMs').fill('2')
  await dialog.getByRole('button', { name: 'Create' }).click()
  await expect(dialog.getByText('Write a size like 512 MiB or 4 GiB.')).toBeVisible()
  await dialog.getByLabel('Memory').fill('4 GiB')
  await expectAccessible(page)
  await dialog.getByRole('button', { name: 'Create' }).click()
  const row = page.getByRole('row', { name: /^acme/ })
  await expect(row).toContainText('0 of 2')
  await expect(row).toContainText('0 B of 4 GiB')
  await page.getByRole('button', { name: 'Edit acme' }).click()
  await expect(dialog.getByLabel('Memory')).toHaveValue('4 GiB')
  await dialog.getByLabel('VMs').fill('3')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(row).toContainText('0 of 3')
  const acme = (await api.send('GET', '/api/v1/tenants/acme')) as { quota: unknown }
  expect(acme.quota).toEqual({ vms: 3, cpus: 0, memory_mib: 4096, disk_gib: 0, addresses: 0, snapshots: 0 })
})

test('a tenant that still has something is not deleted, and what is left is named', async ({ page, signIn, api, allow }) => {
  allow(/status of 409/)
  await api.send('POST', '/api/v1/tenants', { name: 'leaving' })
  await api.send('POST', '/api/v1/users', {
    username: 'tenno',
    email: 'tenno@example.org',
    password: 'a long phrase of his own',
    role: 'developer',
    tenant: 'leaving',
  })
  await signIn()
  await page.goto('/admin/tenants')
  await page.getByRole('button', { name: 'Delete leaving' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await expect(dialog.getByRole('alert')).toContainText(/still has 1 \w+/)
  await api.send('DELETE', '/api/v1/users/tenno')
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await expect(page.getByRole('row', { name: /^leaving/ })).toHaveCount(0)
})

test('an old sign-in is asked for the password before a tenant is deleted, and goes on with what was asked', async ({ page, server, signIn, api, allow }) => {
  allow(/status of 403/)
  await api.send('POST', '/api/v1/tenants', { name: 'fading' })
  await server.createUser('alma', 'administrator')
  await signIn('alma')
  await page.goto('/admin/tenants')
  const { id } = (await api.send('GET', '/api/v1/users/alma')) as { id: string }
  server.store('sessions', 'update session_logins set created = created - 660000000 where account = ?', id) // eleven minutes
  await page.getByRole('button', { name: 'Delete fading' }).click()
  const dialog = page.getByRole('dialog', { name: /fading/ })
  const proof = page.getByRole('dialog', { name: 'Is it you?' })
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await proof.getByRole('button', { name: 'Cancel' }).click()
  await expect(dialog.getByRole('alert')).toContainText('once more who is there')
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await proof.getByLabel('Present password').fill('not the password at all')
  await proof.getByRole('button', { name: 'Go on' }).click()
  await expect(proof).toContainText(/present password is wrong/i)
  await expectAccessible(page)
  await proof.getByLabel('Present password').fill(password)
  await proof.getByRole('button', { name: 'Go on' }).click()
  await expect(page.getByRole('row', { name: /^fading/ })).toHaveCount(0)
  await api.send('DELETE', '/api/v1/users/alma') // ada is the last administrator again
})

test('the audit log tells who changed what from what, page by page, and that nothing was changed in it', async ({
  page,
  signIn,
  api,
}) => {
  const { id } = (await api.send('POST', '/api/v1/tenants', { name: 'watched' })) as { id: string }
  for (let i = 1; i <= 101; i++) await api.send('PATCH', '/api/v1/tenants/watched', { quota: { vms: i, cpus: 0, memory_mib: 0, disk_gib: 0, addresses: 0, snapshots: 0 } })
  await signIn()
  await page.goto('/admin/audit')
  await page.getByLabel('Action, for example vm.*').fill('tenant.update')
  await expect(page).toHaveURL(/action=tenant.update/)
  await page.getByLabel('Subject, for example vm/ID').fill(`tenant/${id}`)
  await expect(page.getByText('101 entries')).toBeVisible()
  const rows = page.getByRole('row', { name: /tenant\.update/ })
  await expect(rows).toHaveCount(100)
  await page.getByRole('button', { name: 'Show older entries' }).click()
  await expect(rows).toHaveCount(101)
  await rows.first().getByRole('button', { name: /^Details/ }).click()
  await expect(page.getByRole('row', { name: 'quota.vms 100 101' })).toBeVisible()
  await expect(rows.first()).toContainText('ada')
  await page.getByRole('button', { name: 'Check the chain' }).click()
  await expect(page.getByText(/entries, none changed or removed/)).toBeVisible()
  await expectAccessible(page)
  await page.reload()
  await expect(page.getByText('101 entries')).toBeVisible()
})

test('an account is invited, changed, closed and deleted', async ({ page, signIn, api, allow }) => {
  allow(/status of (409|422)/)
  await api.send('POST', '/api/v1/users', {
    username: 'mover',
    email: 'mover@example.org',
    password: 'a long phrase of her own',
    role: 'viewer',
  })
  await signIn()
  await page.goto('/admin/users')
  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'Invite somebody' }).click()
  await dialog.getByLabel('E-mail').fill('new@example.org')
  await dialog.getByLabel('Role').selectOption('viewer')
  await dialog.getByRole('button', { name: 'Make an invitation' }).click()
  await expect(dialog.locator('code')).toContainText('/auth/register')
  const link = (await dialog.locator('code').textContent()) ?? ''
  await dialog.getByRole('button', { name: 'Close' }).click()

  // What is pending is listed, also when it was made elsewhere, and a link that was withdrawn makes no account.
  const pending = page.getByRole('region', { name: 'Pending invitations' })
  await expect(pending.getByRole('row', { name: /new@example\.org/ })).toContainText(/viewer.*default.*ada.*in 7 days/)
  await api.send('POST', '/api/v1/invites', { email: 'elsewhere@example.org', role: 'developer' })
  await expect(pending.getByRole('row', { name: /elsewhere@example\.org/ })).toContainText('developer')
  await expectAccessible(page)
  await page.getByRole('button', { name: 'Withdraw the invitation of new@example.org' }).click()
  await dialog.getByRole('button', { name: 'Withdraw' }).click()
  await expect(pending.getByRole('row', { name: /new@example\.org/ })).toHaveCount(0)
  const { items: left } = (await api.send('GET', '/api/v1/invites')) as { items: { id: string; email: string }[] }
  expect(left.map((i) => i.email)).toEqual(['elsewhere@example.org'])
  const registering = { username: 'newcomer', email: 'new@example.org', password: 'a long phrase of their own', invite: link.split('#')[1] }
  await expect(api.send('POST', '/api/auth/register', registering)).rejects.toThrow(/401.*token_used/)
  await api.send('DELETE', `/api/v1/invites/${left[0]?.id}`)
  await expect(pending).toHaveCount(0)

  const row = page.getByRole('row', { name: /^mover/ })
  await page.getByRole('button', { name: 'Edit mover' }).click()
  await dialog.getByLabel('Role').selectOption('operator')
  await dialog.getByLabel('Closed').check()
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(row).toContainText('operator')
  await expect(row).toContainText('disabled')
  await expect(page.getByRole('button', { name: 'Delete ada' })).toHaveAccessibleDescription(/own account/)
  await page.getByRole('button', { name: 'Edit ada' }).click()
  await dialog.getByLabel('Role').selectOption('viewer')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(dialog.getByRole('alert')).toContainText('last administrator')
  await dialog.getByRole('button', { name: 'Cancel' }).click()
  await page.getByRole('button', { name: 'Delete mover' }).click()
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await expect(row).toHaveCount(0)
})

test('the roles stand side by side', async ({ page, signIn }) => {
  await signIn()
  await page.goto('/admin/roles')
  await expect(page.getByText('viewer may vm.read')).toBeAttached()
  await expect(page.getByText('viewer may not vm.write')).toBeAttached()
})
