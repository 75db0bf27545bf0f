import type { BrowserContext, Page } from '@playwright/test'

/** What the pages of a context keep in their window: the frames of the event stream with their times, and how late their own timers were. */
type Kept = { frames: { at: number; text: string }[]; late: { at: number; by: number }[] }

const every = 50 // ms between two looks at the page's own lateness

/** Makes the pages that the context opens from now on keep what the functions below ask for. */
export async function keepNews(context: BrowserContext) {
  await context.addInitScript((every: number) => {
    const kept: Kept = { frames: [], late: [] }
    Object.assign(window, { kept })
    window.WebSocket = class extends WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols)
        if (!String(url).includes('/ws/events/')) return
        this.addEventListener('message', (m) => {
          kept.frames.push({ at: performance.now(), text: String(m.data) })
          setTimeout(() => window.dispatchEvent(new Event('news')))
        })
      }
    }
    let last = performance.now()
    setInterval(() => {
      const now = performance.now()
      kept.late.push({ at: now, by: Math.max(0, now - last - every) })
      last = now
    }, every)
  }, every)
}

type Wish = {
  /** The type of the event, and what its text has in it beside. */
  event: string
  about: string
  /** What shows it: an element whose text matches; gone: no element does. */
  css: string
  text: string
  gone?: boolean
}
export type Delay = {
  /** ms from the arrival of the frame in the page to the frame of the screen that shows it. */
  took: number
  /** ms of these in which the page was not let run, because the machine had others to serve. */
  stalled: number
}

/** Begins to look how long the page takes to show an event that comes from now on; what it gives waits for that. */
export async function delayOf(page: Page, wish: Wish): Promise<() => Promise<Delay>> {
  const looking = await page.evaluateHandle(({ event, about, css, text, gone }: Wish) => {
    const { kept } = window as unknown as { kept: Kept } // made above
    const asked = performance.now()
    const wanted = new RegExp(text)
    const shown = () => [...document.querySelectorAll(css)].some((e) => wanted.test(e.textContent ?? '')) !== Boolean(gone)
    const delay = new Promise<Delay>((done) => {
      const look = () => {
        const frame = kept.frames.find((f) => f.at >= asked && f.text.includes(`"type":"${event}"`) && f.text.includes(about))
        if (!frame || !shown()) return
        observer.disconnect()
        window.removeEventListener('news', look)
        requestAnimationFrame((now) => {
          const stalled = kept.late.filter((l) => l.at > frame.at).reduce((sum, l) => sum + l.by, 0)
          done({ took: Math.max(0, now - frame.at), stalled })
        })
      }
      const observer = new MutationObserver(look)
      observer.observe(document, { subtree: true, childList: true, characterData: true })
      window.addEventListener('news', look)
    })
    return { delay }
  }, wish)
  return () => looking.evaluate(({ delay }) => delay)
}

/** For how many ms the page was not let run since it was opened. */
export const stalled = (page: Page): Promise<number> =>
  page.evaluate(() => (window as unknown as { kept: Kept }).kept.late.reduce((sum, l) => sum + l.by, 0))
