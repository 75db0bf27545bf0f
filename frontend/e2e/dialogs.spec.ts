import type { Locator, Page } from '@playwright/test'
import { expect, expectAccessible, test } from './story.ts'

/** opener: what is pressed first, and gets the focus back. */
type Opened = { name: string; opener: (page: Page) => Locator; within?: string }

const button = (name: string): Opened => ({ name, opener: (page) => page.getByRole('button', { name, exact: true }).first() })
const more = (name: string): Opened => ({ name, opener: (page) => page.getByRole('button', { name: 'More actions' }), within: name })

test.use({ actionTimeout: 20_000 }) // a button that is not there is told, not waited for

test('every dialog is accessible in both themes, fits a phone, closes on Escape and gives the focus back', async ({ page, signIn, api }) => {
  test.setTimeout(600_000) // some thirty dialogs; a busy machine takes ten seconds for each
  const { id } = await api.createVM('dialogs', { start: false })
  const { id: running } = await api.createVM('dialogs-console')
  const { items } = (await api.send('GET', '/api/v1/nodes')) as { items: { id: string }[] }
  const read = async () => (await api.send('GET', `/api/v1/vms/${id}`)) as { operation_id?: string; nics: { network_name: string; mac: string }[] }
  const idle = () => expect.poll(async () => (await read()).operation_id ?? '').toBe('')
  await api.send('PATCH', `/api/v1/vms/${id}?wait=30s`, { add_disks: [{ size_gib: 2 }] })
  await idle()
  await api.send('POST', `/api/v1/vms/${id}/snapshots?wait=30s`, { name: 'shot' })
  await api.send('POST', '/api/v1/tenants', { name: 'dialogs' })
  await api.send('POST', '/api/v1/roles', { name: 'dialogs', actions: ['vm.read'] })
  const { id: user } = (await api.send('POST', '/api/v1/users', {
    username: 'dia',
    email: 'dia@example.org',
    password: 'a long phrase of her own',
    role: 'viewer',
  })) as { id: string }
  const nic = (await read()).nics[0]
  await signIn()
  const all: [string, Opened[]][] = [
    [
      `/vms/${id}`,
      [
        more('Edit'),
        more('Clone'),
        more('Delete'),
        button('Add a disk'),
        button('Grow Disk 2'),
        button('Remove Disk 2'),
        button('Add a network interface'),
        button('Change the forwarded ports'),
        button(`Remove ${nic?.network_name} ${nic?.mac}`),
      ],
    ],
    [`/vms/${id}/snapshots`, [button('Take a snapshot'), button('Revert'), button('Delete')]],
    [`/vms/${running}/console`, [button('Paste as keystrokes')]],
    ['/images', [button('Delete')]],
    ['/nodes', [button('Add a node')]],
    [`/nodes/${items[0]?.id}`, [button('Labels'), button('Remove')]],
    ['/admin/users', [button('Invite somebody'), button('Create a user'), button('Edit dia'), button('Delete dia')]],
    [`/admin/users/${user}`, [button('Edit'), button('Lock'), button('Add a tenant'), button('Delete'), button('Reset the second factor')]],
    ['/admin/roles', [button('Create a role'), button('Edit dialogs'), button('Delete dialogs')]],
    ['/admin/tenants', [button('Create a tenant'), button('Edit dialogs'), button('Delete dialogs')]],
    ['/settings', [button('Change the e-mail address')]],
    ['/settings/security', [button('Change the password'), button('Add a passkey')]],
    ['/settings/tokens', [button('Make a token')]],
  ]
  for (const [place, list] of all) {
    await page.setViewportSize({ width: 1280, height: 720 })
    await page.goto(place)
    await page.getByRole('heading', { level: 1 }).waitFor()
    await expect(page.locator('[aria-busy]')).toHaveCount(0)
    if (place.endsWith('/console')) await expect(page.getByText('Connected', { exact: true })).toBeVisible()
    for (const { name, opener, within } of list)
      await test.step(`${place}: ${name}`, async () => {
        const dialog = page.getByRole('dialog')
        await opener(page).click()
        if (within) await page.getByRole('button', { name: within, exact: true }).click()
        await expect(dialog).toBeVisible()
        await expectAccessible(page, 'dialog[open]') // the page behind has a story of its own
        await page.setViewportSize({ width: 360, height: 740 })
        expect(await dialog.evaluate((d) => d.scrollWidth - d.clientWidth), 'pixels that have to be scrolled sideways').toBeLessThanOrEqual(0)
        await page.setViewportSize({ width: 1280, height: 720 })
        await page.keyboard.press('Escape')
        await expect(dialog).toHaveCount(0)
        await expect(opener(page)).toBeFocused()
      })
  }
})
