import { Problem, problemOf } from '../api/problem.ts'
import type { components } from '../api/schema.d.ts'
import { words } from '../i18n/en.ts'
import { createStore } from '../lib/store.ts'

type Answer = components['schemas']['LoginAnswer']
export type User = components['schemas']['User']

/** Who uses this page. The access token lives in memory only; the refresh token is a cookie that no script can read. */
export type Session =
  | { status: 'unknown' }
  | { status: 'out'; reason?: 'expired' }
  | { status: 'in'; user: User; token: string; endsAt: number }

export const session = createStore<Session>({ status: 'unknown' })

const renewBefore = 60_000 // ms before the token's end
const tabs = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel('novacron-session')
if (tabs) tabs.onmessage = (message) => message.data === 'signed out' && end()

async function post(path: string, body?: unknown, token?: string): Promise<Response> {
  const headers = new Headers()
  if (body !== undefined) headers.set('Content-Type', 'application/json')
  if (token) headers.set('Authorization', `Bearer ${token}`)
  let response: Response
  try {
    response = await fetch(path, {
      method: 'POST',
      headers,
      body: body === undefined ? null : JSON.stringify(body),
    })
  } catch {
    throw new Problem(0, {
      detail: words.errors.unreachable,
      code: 'unreachable',
    })
  }
  if (!response.ok) throw await problemOf(response)
  return response
}

function begin(answer: Answer) {
  const { access_token: token, expires_in: seconds, user } = answer
  if (!token || !seconds || !user) throw new Problem(500, { detail: words.errors.emptyAnswer })
  session.set({
    status: 'in',
    user,
    token,
    endsAt: Date.now() + seconds * 1000,
  })
  schedule(seconds * 1000)
}

let timer: ReturnType<typeof setTimeout> | undefined
function schedule(lifetime: number) {
  clearTimeout(timer)
  timer = setTimeout(() => void refresh().catch(() => undefined), Math.max(lifetime - renewBefore, 5_000))
}

function end(reason?: 'expired') {
  clearTimeout(timer)
  session.set(reason ? { status: 'out', reason } : { status: 'out' })
}

/** Signs in. With a second factor the answer is the challenge that a code ends; without one it is nothing. */
export async function signIn(username: string, password: string): Promise<string | undefined> {
  const answer: Answer = await (await post('/api/auth/login', { username, password })).json()
  if (answer.two_factor_required) return answer.challenge_token
  begin(answer)
  return undefined
}

/** Ends a sign-in with a code of the authenticator, or a backup code. */
export async function proveSecondFactor(challenge: string, code: string): Promise<void> {
  begin(
    await (
      await post('/api/auth/2fa/verify-login', {
        challenge_token: challenge,
        code,
      })
    ).json(),
  )
}

export async function setUp(request: components['schemas']['Setup']): Promise<void> {
  begin(await (await post('/api/auth/setup', request)).json())
}

/** Signs out here and in every other tab. The page forgets even if the server does not answer. */
export async function signOut(): Promise<void> {
  const now = session.get()
  try {
    if (now.status === 'in') await post('/api/auth/logout', undefined, now.token)
  } finally {
    end()
    tabs?.postMessage('signed out')
  }
}

let running: Promise<boolean> | undefined

/** Exchanges the cookie for a new token; at most one exchange at a time, over all tabs where the browser can say so, since a
 * token that is used twice ends the session. False: there is no session. It throws when the server does not answer. */
export function refresh(): Promise<boolean> {
  running ??= alone(exchange).finally(() => {
    running = undefined
  })
  return running
}

async function alone(work: () => Promise<boolean>): Promise<boolean> {
  return navigator.locks ? await navigator.locks.request('novacron-refresh', work) : work()
}

async function exchange(): Promise<boolean> {
  const before = session.get()
  try {
    const response = await post('/api/auth/refresh')
    if (response.status !== 204) {
      begin(await response.json())
      return true
    }
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 401) throw error
  }
  end(before.status === 'in' ? 'expired' : undefined)
  return false
}

/** The session as it is, after asking the server once when the page was just loaded. */
export async function ensureSession(): Promise<Session> {
  if (session.get().status === 'unknown') await refresh()
  return session.get()
}
