import { readdir, readFile } from 'node:fs/promises'
import type { Page } from '@playwright/test'
import { Client, password } from './server.ts'
import { expect, test } from './story.ts'

const boot = 120_000 // ms that a guest may take under software emulation on a busy machine

test('the consoles of a real guest: typed into, drawn, back by themselves after the guest and the server restart, and missed when it crashes', async ({
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

  // Its process dies: the dashboard tells, and leads to exactly that one.
  await api.createVM('well', { memory_mib: 128, networks: [], start: false })
  await crash(id)
  await page.getByRole('link', { name: 'Dashboard' }).click()
  await page.getByRole('link', { name: '1 VM in state error' }).click({ timeout: 60_000 })
  await expect(page).toHaveURL(/\/vms\?status=error$/)
  await expect(page.getByRole('row').getByRole('link')).toHaveText(['real'])
})

test('the screen of a real guest: keys reach it, it comes back by itself, and is watched and taken over', async ({ own, allow }) => {
  test.setTimeout(600_000)
  allow(/status of 409.*console/) // while the guest is off
  const { server, page, visit } = await own([])
  await server.createUser('ada', 'administrator')
  await server.createUser('bea', 'administrator')
  const api = await new Client(server.url).login('ada')
  const { id } = await api.createVM('drawn', { memory_mib: 128, networks: [], image: await imported(api), firmware: 'bios' })
  const enter = async (p: Page, name: string, kind: string) => {
    await p.goto(`/auth/login?next=${encodeURIComponent(`/vms/${id}/console?kind=${kind}`)}`)
    await p.fill("input[name='username']", name)
    await p.fill("input[name='password']", password)
    await p.click("button[type='submit']")
  }
  // What the guest's screen was typed into is told by its serial line.
  const line = await page.context().newPage()
  await enter(line, 'ada', 'serial')
  const told = line.locator('.xterm-accessibility-tree')
  await expect(told).toContainText('typed here: ', { timeout: boot })
  await page.goto(`/vms/${id}/console?kind=vnc`)
  const connected = page.getByText('Connected', { exact: true })
  const screen = page.locator('.console-view canvas')
  await expect(connected).toBeVisible({ timeout: 60_000 })
  await expect.poll(() => colours(page), { timeout: 60_000 }).toBeGreaterThan(1)
  await screen.click()
  await page.keyboard.press('Shift+K')
  await page.keyboard.type('eys 40 3;', { delay: 50 })
  await expect(told).toContainText('Keys 40 3;', { timeout: 60_000 })

  const phrase = `a pasted ${'long-'.repeat(5)}Phrase!`
  await page.getByRole('button', { name: 'Paste as keystrokes' }).click()
  await page.getByLabel('Text to type into the guest').fill(phrase)
  await page.getByRole('button', { name: 'Type it' }).click()
  await expect(told).toContainText(phrase, { timeout: 60_000 })

  await page.bringToFront() // a tab behind another gets no full screen
  await page.getByRole('button', { name: 'Full screen' }).click()
  await expect.poll(() => page.evaluate(() => document.fullscreenElement?.className)).toBe('console')
  await expect(page.getByRole('button', { name: 'Send keys' })).toBeInViewport()
  await page.getByRole('button', { name: 'Full screen' }).click()
  await expect.poll(() => page.evaluate(() => document.fullscreenElement)).toBeNull()

  const second = await visit()
  await enter(second, 'bea', 'vnc')
  await expect(second.getByRole('alert')).toContainText('ada')
  await second.getByRole('button', { name: 'Watch' }).click()
  await expect(page.getByText('Also here: bea')).toBeVisible()
  await expect.poll(() => colours(second), { timeout: 60_000 }).toBeGreaterThan(1)
  await second.getByRole('button', { name: 'Take over' }).click()
  await expect(second.getByText('Connected', { exact: true })).toBeVisible({ timeout: 60_000 })
  await expect(page.getByRole('alert')).toContainText('took this console over')
  await second.close()
  await page.getByRole('button', { name: 'Take over' }).click()
  await expect(connected).toBeVisible({ timeout: 60_000 })

  await page.getByRole('button', { name: 'Send keys' }).click()
  await page.getByRole('button', { name: 'Ctrl+Alt+Del' }).click()
  await expect(told).toContainText(/Phrase![^]*typed here: /, { timeout: boot }) // it began anew
  await api.send('POST', `/api/v1/vms/${id}/stop?wait=60s`, { force: true })
  await expect(page.getByText(/console connects when it runs/)).toBeVisible()
  await api.send('POST', `/api/v1/vms/${id}/start?wait=60s`)
  await expect(connected).toBeVisible({ timeout: 60_000 })
  await expect.poll(() => colours(page), { timeout: 60_000 }).toBeGreaterThan(1)
  // It does not hear the power button: the end of its server would wait a minute for it.
  await api.send('POST', `/api/v1/vms/${id}/stop?wait=60s`, { force: true })
})

test('a snapshot with memory brings a real guest back to where it was, and says before what is lost', async ({ own }) => {
  test.setTimeout(600_000)
  const { server, page } = await own([])
  await server.createUser('ada', 'administrator')
  const api = await new Client(server.url).login('ada')
  await api.tinyReady()
  await page.goto('/auth/login?next=/vms/new')
  await page.fill("input[name='username']", 'ada')
  await page.fill("input[name='password']", password)
  await page.click("button[type='submit']")
  await page.getByRole('heading', { name: 'Create a virtual machine' }).waitFor()
  await page.getByLabel('Name').fill('kept')
  await page.getByLabel('Memory', { exact: true }).fill('128 MiB')
  await page.getByRole('checkbox', { name: /^default/ }).uncheck()
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'kept' })).toBeVisible()
  const id = new URL(page.url()).pathname.split('/')[2]
  await page.getByRole('link', { name: 'Console' }).first().click()
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

/**
 * A disk whose BIOS program writes "typed here: " and then each typed character to the screen and to the serial port, in an image. The
 * tiny guest has no text on its screen: it starts without a BIOS that would tell its kernel of one.
 */
async function imported(api: Client): Promise<string> {
  const code = [
    ...[0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xd0, 0xbc, 0x00, 0x7c], // ds = ss = 0, sp = 0x7c00
    ...[0xbe, 0x2b, 0x7c], // si = the text, behind the code
    ...[0xac, 0x84, 0xc0, 0x74, 0x05], // next: lodsb; at the end of the text go to key
    ...[0xe8, 0x0c, 0x00, 0xeb, 0xf6], // call put; jmp next
    ...[0xfb, 0xb4, 0x00, 0xcd, 0x16, 0xe8, 0x02, 0x00, 0xeb, 0xf6], // key: sti; wait for one; call put; jmp key
    ...[0x50, 0xb4, 0x0e, 0xcd, 0x10, 0x58], // put: on the screen
    ...[0xba, 0xf8, 0x03, 0xee, 0xc3], // and to the first serial port
  ]
  const disk = Buffer.alloc(1 << 20)
  disk.set(code)
  disk.write('typed here: ', code.length)
  disk.set([0x55, 0xaa], 510)
  const { id } = (await api.send('POST', '/api/v1/images', { name: 'typed', bytes: disk.length })) as { id: string }
  await api.upload(id, disk)
  return id
}

/** Ends a guest's process as a crash of QEMU does. */
async function crash(id: string) {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '') // it ended meanwhile
    if (line.includes('qemu-system-') && line.includes(id)) process.kill(Number(pid), 'SIGKILL')
  }
}

/** How many colours the guest's screen shows, to a few: a screen that is one grey plane shows nothing. */
function colours(page: Page) {
  return page.locator('.console-view canvas').evaluate((canvas: HTMLCanvasElement) => {
    const picture = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? []
    return new Set(new Uint32Array(new Uint8Array(picture).buffer)).size
  })
}
