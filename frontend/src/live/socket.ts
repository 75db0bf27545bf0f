import type { QueryClient } from '@tanstack/react-query'
import type { Event } from '../api/client.ts'
import { learnFrom } from '../api/names.ts'
import { placeOf } from '../auth/place.ts'
import { refresh, session } from '../auth/session.ts'
import { createStore } from '../lib/store.ts'
import { createApply } from './apply.ts'
import { closes, readFrame } from './protocol.ts'
import { type Live, nothing, reduce } from './reducer.ts'

/** How live the page is. since: when the server was last heard, in ms. */
export type Connection = {
  state: 'connecting' | 'live' | 'reconnecting' | 'offline'
  since: number
}
export const connection = createStore<Connection>({
  state: 'connecting',
  since: Date.now(),
})

/** The latest events of this page's life, newest first, for the events page. */
export const recent = createStore<readonly Event[]>([])
const keep = 1_000

const backoff = { first: 500, most: 30_000, calm: 10_000 } // ms; a connection of `calm` counts as good
const silence = 45_000 // ms without a frame: the server pings every 20 s, so the line is dead
const offlineAfter = 10_000 // ms without a connection: values are read by polling from then on
const pollEvery = 10_000

/** Keeps one WebSocket to the event stream while somebody is signed in. Returns what ends it. */
export function startLive(client: QueryClient): () => void {
  const apply = createApply(client)
  let live: Live = nothing
  let socket: WebSocket | undefined
  let cursor = ''
  let tries = 0
  let openedAt = 0
  let stopped = false
  const timers: Record<'retry' | 'silence' | 'offline' | 'poll', ReturnType<typeof setTimeout> | undefined> = {
    retry: undefined,
    silence: undefined,
    offline: undefined,
    poll: undefined,
  }
  let batch: Event[] = []
  let frame = 0

  const heard = () => {
    clearTimeout(timers.silence)
    timers.silence = setTimeout(() => socket?.close(), silence)
  }

  const flush = () => {
    frame = 0
    const events = batch
    batch = []
    const step = reduce(live, events)
    live = step.live
    learnFrom(events)
    apply(step.changes)
    const kept = events.filter((e) => e.id).reverse()
    if (kept.length > 0) recent.update((list) => [...kept, ...list].slice(0, keep))
  }

  const onEvent = (event: Event) => {
    if (event.id) cursor = event.id
    batch.push(event)
    // Hidden tabs get no animation frames.
    if (!frame) frame = document.hidden ? (setTimeout(flush, 100) as unknown as number) : requestAnimationFrame(flush)
  }

  const onReady = (at: string) => {
    if (!cursor) cursor = at
    openedAt = Date.now()
    clearTimeout(timers.offline)
    timers.offline = undefined
    clearInterval(timers.poll)
    timers.poll = undefined
    connection.set({ state: 'live', since: Date.now() })
  }

  const signIn = (to: WebSocket) => {
    const now = session.get()
    if (now.status === 'in')
      to.send(
        JSON.stringify({
          type: 'auth',
          token: now.token,
          since: cursor || undefined,
          tenant: placeOf(now.user.id)?.tenant,
        }),
      )
  }

  const lost = async (code: number) => {
    socket = undefined
    clearTimeout(timers.silence)
    if (stopped) return
    connection.update((c) => (c.state === 'live' ? { state: 'reconnecting', since: Date.now() } : c))
    timers.offline ??= setTimeout(goOffline, offlineAfter)
    if (code === closes.tooOld) {
      // What happened in between is no longer kept: everything shown is read anew.
      cursor = ''
      void client.invalidateQueries()
    }
    if (code === closes.signedOut && !(await refresh().catch(() => true))) return
    if (openedAt && Date.now() - openedAt > backoff.calm) tries = 0
    openedAt = 0
    const wait = Math.min(backoff.first * 2 ** tries++, backoff.most)
    clearTimeout(timers.retry)
    timers.retry = setTimeout(open, wait * (0.5 + Math.random() / 2))
  }

  const goOffline = () => {
    connection.update((c) => ({ ...c, state: 'offline' }))
    const poll = () => !document.hidden && void client.invalidateQueries({ type: 'active' })
    poll()
    timers.poll ??= setInterval(poll, pollEvery)
  }

  const open = () => {
    if (stopped || socket) return
    const opened = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws/events/v1`)
    socket = opened
    opened.onopen = () => {
      heard()
      signIn(opened)
    }
    opened.onmessage = (message) => {
      heard()
      const read = readFrame(String(message.data))
      if (read?.type === 'ready') onReady((read as { cursor: string }).cursor)
      else if (read && read.type !== 'ping') onEvent(read as Event)
    }
    opened.onclose = (event) => void lost(event.code)
  }

  const atOnce = () => {
    if (document.hidden || socket) return
    tries = 0
    clearTimeout(timers.retry)
    open()
  }
  const unfollow = session.subscribe(() => {
    if (socket?.readyState === WebSocket.OPEN) signIn(socket) // a renewed token renews the stream
  })
  window.addEventListener('online', atOnce)
  document.addEventListener('visibilitychange', atOnce)
  connection.set({ state: 'connecting', since: Date.now() })
  recent.set([])
  open()

  return () => {
    stopped = true
    unfollow()
    window.removeEventListener('online', atOnce)
    document.removeEventListener('visibilitychange', atOnce)
    for (const timer of Object.values(timers)) clearTimeout(timer)
    socket?.close()
  }
}
