import type { Page } from '@playwright/test'
import { Client, password } from './server.ts'
import { expect, test } from './story.ts'

const boot = 120_000 // ms that a guest may take under software emulation on a busy machine

test('the consoles of a real guest: typed into, drawn, and back by themselves after the guest and the server restart', async ({
  own,
  allow,
}) => {
  test.setTimeout(600_000)
  allow(/status of 409.*console/) // while the guest is off
  allow(/ERR_CONNECTION_REFUSED|WebSocket connection to .* failed|status of 50[23]/) // while the server is off
  const { server, page } = await own([])
  await server.createUser('ada', 'administrator')
  const api = await new Client(server.url).login('ada')
  await api.tinyReady()
  const { id } = await api.createVM('real', { memory_mib: 128, networks: [], display: true })
  await page.goto(`/auth/login?next=/vms/${id}/console`)
  await page.fill("input[name='username']", 'ada')
  await page.fill("input[name='password']", password)
  await page.click("button[type='submit']")
  const screen = page.locator('.xterm-accessibility-tree') // the rows, without what is only said aloud
  const connected = page.getByText('Connected', { exact: true })
  const count = async (a: number, b: number) => {
    await page.getByLabel('Serial console of the VM. Ctrl').focus()
    await page.keyboard.type(`echo "sum $((${a} + ${b}))"\n`)
    await expect(screen).toContainText(`sum ${a + b}`)
  }
  await expect(connected).toBeVisible()
  await expect(screen).toContainText('novacron-tiny: ready', { timeout: boot })
  await count(40, 2)

  await api.send('POST', `/api/v1/vms/${id}/stop?wait=60s`, { force: true })
  await expect(page.getByText(/console connects when it runs/)).toBeVisible()
  await api.send('POST', `/api/v1/vms/${id}/start?wait=60s`)
  await expect(connected).toBeVisible({ timeout: 60_000 })
  await expect(screen).toContainText(/sum 42[^]*novacron-tiny: ready/, { timeout: boot }) // the scrollback outlives the guest

  await server.kill() // the guest goes on
  await expect(page.getByText('Connection lost; trying again')).toBeVisible({ timeout: 60_000 })
  await server.run()
  await expect(connected).toBeVisible({ timeout: 60_000 })
  await count(50, 3)
  await expect(screen).not.toContainText('not found') // nothing but that was typed

  await page.getByRole('link', { name: 'Screen' }).click()
  await expect(connected).toBeVisible({ timeout: 60_000 })
  await expect.poll(() => colours(page), { timeout: 60_000 }).toBeGreaterThan(1)
})

test('a snapshot with memory brings a real guest back to where it was, and says before what is lost', async ({ own }) => {
  test.setTimeout(600_000)
  const { server, page } = await own([])
  await server.createUser('ada', 'administrator')
  const api = await new Client(server.url).login('ada')
  await api.tinyReady()
  const { id } = await api.createVM('kept', { memory_mib: 128, networks: [] })
  await page.goto(`/auth/login?next=/vms/${id}/console`)
  await page.fill("input[name='username']", 'ada')
  await page.fill("input[name='password']", password)
  await page.click("button[type='submit']")
  const screen = page.locator('.xterm-accessibility-tree')
  const type = async (text: string) => {
    await page.getByLabel('Serial console of the VM. Ctrl').focus()
    await page.keyboard.type(text)
  }
  await expect(screen).toContainText('novacron-tiny: ready', { timeout: boot })
  // One thing that lives in memory only, and one on the disk.
  await type('word=before; echo first > /note; sync; echo "now $word $(cat /note)"\n')
  await expect(screen).toContainText('now before first')

  await page.getByRole('link', { name: 'Snapshots' }).click()
  await page.getByRole('button', { name: 'Take a snapshot' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name').fill('kept')
  await dialog.getByLabel(/memory/i).check()
  await dialog.getByRole('button', { name: 'Take a snapshot' }).click()
  const row = page.getByRole('row', { name: /kept/ })
  await expect(row).toContainText('ready', { timeout: boot })
  await expect(row).toContainText('disks and memory')

  await page.getByRole('link', { name: 'Console' }).click()
  await expect(screen).toContainText('now before first')
  await type('word=after; echo second > /note; sync; echo "now $word $(cat /note)"\n')
  await expect(screen).toContainText('now after second')
  await page.getByRole('link', { name: 'Snapshots' }).click()
  await row.getByRole('button', { name: 'Revert' }).click()
  await expect(dialog).toContainText('is lost')
  await dialog.getByRole('button', { name: 'Revert' }).click()
  await expect(dialog).toHaveCount(0)
  await expect(row).toContainText('ready', { timeout: boot })
  await expect.poll(async () => ((await api.send('GET', `/api/v1/vms/${id}`)) as { operation_id?: string }).operation_id ?? '', { timeout: boot }).toBe('')
  await page.getByRole('link', { name: 'Console' }).click()
  await expect(page.getByText('Connected', { exact: true })).toBeVisible({ timeout: 60_000 })
  await type('echo "again $word $(cat /note)"\n')
  await expect(screen).toContainText('again before first', { timeout: 60_000 }) // the shell itself remembers
})

/** How many colours the guest's screen shows, to a few: a screen that is one grey plane shows nothing. */
function colours(page: Page) {
  return page.locator('.console-view canvas').evaluate((canvas: HTMLCanvasElement) => {
    const picture = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? []
    return new Set(new Uint32Array(new Uint8Array(picture).buffer)).size
  })
}
