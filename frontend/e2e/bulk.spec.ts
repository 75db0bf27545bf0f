import { expect, expectAccessible, test } from './story.ts'

test('many VMs: what will be skipped is told before, how it went with each after, and the choice is gone', async ({
  page,
  signIn,
  api,
  allow,
}) => {
  test.setTimeout(120_000)
  allow(/status of 409/) // the protected one
  for (let i = 0; i < 50; i++) await api.createVM(`many-${String(i).padStart(2, '0')}`, { memory_mib: 128, start: i % 5 !== 0 })
  await signIn()
  await page.goto('/vms?name=many-')
  await page.getByLabel('Choose many-01').check()
  await expect(page.getByText('1 VM chosen')).toBeVisible()
  await page.getByRole('button', { name: 'Choose all 50 that match' }).click()
  await expect(page.getByText('50 VMs chosen')).toBeVisible()
  const toolbar = page.getByRole('toolbar')
  await toolbar.getByRole('button', { name: 'Stop' }).click()
  const dialog = page.getByRole('dialog')
  await expect(dialog).toContainText('Stop: 40 VMs')
  await expect(dialog).toContainText('10 VMs are skipped')
  await expectAccessible(page)
  await dialog.getByRole('button', { name: 'Stop' }).click()
  await expect(page.getByText('Stop: 40 done, 0 failed, 10 skipped')).toBeVisible({ timeout: 60_000 })
  await expect(toolbar).toHaveCount(0)
  await expect(page.getByRole('checkbox', { checked: true })).toHaveCount(0)
  const stopped = async () => ((await api.send('GET', '/api/v1/vms?name=many-&status=stopped')) as { total: number }).total
  await expect.poll(stopped).toBe(50)
  await page.getByText('Each VM').click()
  await expect(page.getByRole('list', { name: 'Each VM' })).toContainText('It is stopped.')
  await page.getByRole('button', { name: 'Close' }).click()

  // What fails says why, and can be tried again.
  const { items } = (await api.send('GET', '/api/v1/vms?name=many-00')) as { items: { id: string }[] }
  await api.send('PATCH', `/api/v1/vms/${items[0]?.id}`, { protected: true })
  await page.getByLabel('Choose many-00').check()
  await page.getByLabel('Choose many-01').check()
  await toolbar.getByRole('button', { name: 'Delete' }).click()
  await dialog.getByLabel('Type 2 to confirm').fill('2')
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await expect(page.getByText('Delete: 1 done, 1 failed, 0 skipped')).toBeVisible()
  await expect(page.getByRole('list', { name: 'Each VM' })).toContainText(/protected/)
  await api.send('PATCH', `/api/v1/vms/${items[0]?.id}`, { protected: false })
  await page.getByRole('button', { name: 'Try the failed ones again' }).click()
  await expect(page.getByText('Delete: 2 done, 0 failed, 0 skipped')).toBeVisible()
})

test('a VM is renamed, grown, described, protected and cloned', async ({ page, signIn, api }) => {
  const { id } = await api.createVM('plain', { start: false })
  await signIn()
  await page.goto(`/vms/${id}`)
  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'More actions' }).click()
  await page.getByRole('button', { name: 'Edit' }).click()
  await dialog.getByLabel('Name').fill('fancy')
  await dialog.getByLabel('vCPUs').fill('2')
  await dialog.getByLabel('Memory').fill('1 GiB')
  await dialog.getByLabel('Protect').check()
  await dialog.getByLabel('Start it when its node starts').check()
  await expectAccessible(page)
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'fancy' })).toBeVisible()
  await expect
    .poll(async () => {
      const v = (await api.send('GET', `/api/v1/vms/${id}`)) as Record<string, unknown>
      return [v.name, v.cpus, v.memory_mib, v.protected, (v.autostart as { enabled: boolean }).enabled]
    })
    .toEqual(['fancy', 2, 1024, true, true])
  await page.getByRole('button', { name: 'More actions' }).click()
  await expect(page.getByRole('button', { name: /^Delete/ })).toContainText(/protected/)
  await page.getByRole('button', { name: /^Clone/ }).click()
  await dialog.getByLabel('Name of the copy').fill('fancy-two')
  await dialog.getByRole('button', { name: 'Clone' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'fancy-two' })).toBeVisible()
})

test('disks, network interfaces and forwarded ports come and go while the VM runs', async ({ page, signIn, api }) => {
  const { id } = await api.createVM('growing')
  await signIn()
  await page.goto(`/vms/${id}`)
  const dialog = page.getByRole('dialog')
  const read = async () => (await api.send('GET', `/api/v1/vms/${id}`)) as { disks: { size_gib: number }[]; nics: unknown[]; operation_id?: string }
  const idle = () => expect.poll(async () => (await read()).operation_id ?? '').toBe('')
  await page.getByRole('button', { name: 'Add a disk' }).click()
  await dialog.getByLabel('Disk (GiB)').fill('3')
  await dialog.getByRole('button', { name: 'Add' }).click()
  await expect(page.getByText('3 GiB', { exact: true })).toBeVisible()
  await idle()
  await page.getByRole('button', { name: 'Grow Disk 2' }).click()
  await dialog.getByLabel('Disk (GiB)').fill('5')
  await dialog.getByRole('button', { name: 'Grow' }).click()
  await expect(page.getByText('5 GiB', { exact: true })).toBeVisible()
  await idle()
  await page.getByRole('button', { name: 'Add a network interface' }).click()
  await dialog.getByRole('button', { name: 'Add' }).click()
  await expect.poll(async () => (await read()).nics.length).toBe(2)
  await idle()
  await page.getByRole('button', { name: 'Remove Disk 2' }).click()
  await expect(dialog).toContainText('5 GiB, is lost')
  await dialog.getByRole('button', { name: 'Remove' }).click()
  await expect.poll(async () => (await read()).disks.length).toBe(1)
  await idle()
  await page.getByRole('button', { name: 'Change the forwarded ports' }).click()
  await dialog.getByLabel('Forwarded ports').fill('ssh')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(dialog.getByText('“ssh” is no forward')).toBeVisible()
  await dialog.getByLabel('Forwarded ports').fill('12222:22')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByRole('listitem').filter({ hasText: /^12222:22$/ })).toBeVisible()
})
