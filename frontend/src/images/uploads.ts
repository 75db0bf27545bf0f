import type { QueryClient } from '@tanstack/react-query'
import { authorised, type Image } from '../api/client.ts'
import { Problem, sentence } from '../api/problem.ts'
import { createStore } from '../lib/store.ts'

/** An upload of this page. It goes on while somebody looks at other pages; after a reload the file has to be chosen again. */
export type Upload = {
  image: string
  name: string
  sent: number
  bytes: number
  state: 'sending' | 'paused' | 'waiting'
  reason?: string
}

export const uploads = createStore<ReadonlyMap<string, Upload>>(new Map())
const control = new Map<string, { file: File; abort: AbortController; client: QueryClient }>()

const part = 8 << 20 // bytes of one request: little is sent twice after a cut, and progress moves
const patience = 2_000 // ms before another try

function put(image: string, change: Partial<Upload>) {
  uploads.update((all) => {
    const now = all.get(image)
    return now ? new Map(all).set(image, { ...now, ...change }) : all
  })
}

function forget(image: string) {
  control.delete(image)
  uploads.update((all) => {
    const next = new Map(all)
    next.delete(image)
    return next
  })
}

/** Begins an upload, or goes on with one that was begun, here or elsewhere. */
export function startUpload(image: Image, file: File, client: QueryClient) {
  if (control.has(image.id)) return
  control.set(image.id, { file, abort: new AbortController(), client })
  uploads.update((all) =>
    new Map(all).set(image.id, {
      image: image.id,
      name: image.name,
      sent: 0,
      bytes: file.size,
      state: 'sending',
    }),
  )
  void send(image.id)
}

export function pauseUpload(image: string) {
  control.get(image)?.abort.abort()
  put(image, { state: 'paused', reason: undefined })
}

export function resumeUpload(image: string) {
  const now = control.get(image)
  if (!now) return
  now.abort = new AbortController()
  put(image, { state: 'sending', reason: undefined })
  void send(image)
}

export function forgetUpload(image: string) {
  control.get(image)?.abort.abort()
  forget(image)
}

const dataOf = (image: string) => `/api/v1/images/${image}/data`

/** Where the server wants the next byte. */
async function offsetOf(image: string, signal: AbortSignal): Promise<number> {
  const response = await authorised(
    new Request(new URL(dataOf(image), location.href), {
      method: 'HEAD',
      signal,
    }),
  )
  return Number(response.headers.get('Upload-Offset') ?? 0)
}

async function send(image: string) {
  const now = control.get(image)
  if (!now) return
  const { file, abort, client } = now
  const { signal } = abort
  while (!signal.aborted) {
    try {
      let at = await offsetOf(image, signal)
      put(image, { sent: at, state: 'sending', reason: undefined })
      while (at < file.size) {
        at = await sendPart(image, file, at, signal)
        put(image, { sent: at })
      }
      forget(image)
      void client.invalidateQueries({ queryKey: ['images'] })
      return
    } catch (error) {
      if (signal.aborted) return
      if (
        error instanceof Problem &&
        error.status >= 400 &&
        error.status < 500 &&
        ![401, 409, 429].includes(error.status)
      ) {
        put(image, { state: 'paused', reason: sentence(error) })
        return
      }
      put(image, { state: 'waiting', reason: sentence(error) })
      await new Promise((go) =>
        setTimeout(go, ((error instanceof Problem && error.retryAfter) || 0) * 1000 || patience),
      )
    }
  }
}

async function sendPart(image: string, file: File, at: number, signal: AbortSignal): Promise<number> {
  const response = await authorised(
    new Request(new URL(dataOf(image), location.href), {
      method: 'PATCH',
      headers: {
        'Upload-Offset': String(at),
        'Content-Type': 'application/octet-stream',
      },
      body: file.slice(at, at + part),
      signal,
    }),
  )
  return Number(response.headers.get('Upload-Offset') ?? at + part)
}

// Leaving ends the sending; what has arrived stays on the server.
window.addEventListener('beforeunload', (event) => {
  if ([...uploads.get().values()].some((u) => u.state !== 'paused')) event.preventDefault()
})
