import { Problem } from '../api/problem.ts'
import type { components } from '../api/schema.d.ts'
import { words } from '../i18n/en/core.ts'
import { createStore } from '../lib/store.ts'
import { usePasskey } from './passkey.ts'
import { forgetPlace, placeOf } from './place.ts'
import { post } from './post.ts'
import { hasTyped } from './typed.ts'

type Schemas = components['schemas']
type Answer = Schemas['LoginAnswer']
export type User = components['schemas']['User']

/** Why a session ended that nobody here ended. stolen: its refresh token was used twice, so somebody else may have had it. */
export type EndReason = 'expired' | 'stolen'

/** Who uses this page. The access token lives in memory only; the refresh token is a cookie that no script can read. */
export type Session =
  | { status: 'unknown' }
  /** kept: whose page is still there under a cover, since something was typed into it. */
  | { status: 'out'; reason?: EndReason; kept?: User }
  /** enrolling: a second factor is required and the account has none, so nothing but turning one on is allowed. */
  | { status: 'in'; user: User; token: string; endsAt: number; enrolling: boolean }

export const session = createStore<Session>({ status: 'unknown' })

const renewBefore = 60_000 // ms before the token's end
const tabs = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel('novacron-session')
if (tabs) tabs.onmessage = (message) => message.data === 'signed out' && end()

function begin(answer: Answer) {
  const { access_token: token, expires_in: seconds, user } = answer
  if (!token || !seconds || !user) throw new Problem(500, { detail: words.errors.emptyAnswer })
  const place = placeOf(user.id)
  session.set({
    status: 'in',
    user: place ? { ...user, tenant: place.tenant, role: place.role } : user,
    token,
    endsAt: Date.now() + seconds * 1000,
    enrolling: answer.second_factor_needed === true,
  })
  schedule(seconds * 1000)
}

let timer: ReturnType<typeof setTimeout> | undefined
function schedule(lifetime: number) {
  clearTimeout(timer)
  timer = setTimeout(() => void refresh().catch(() => undefined), Math.max(lifetime - renewBefore, 5_000))
}

function end(reason?: EndReason) {
  clearTimeout(timer)
  const was = session.get()
  session.set({
    status: 'out',
    ...(reason ? { reason } : {}),
    ...(reason && was.status === 'in' && hasTyped() ? { kept: was.user } : {}),
  })
}

/** Gives a page up that is kept under a cover. */
export const leave = () => session.set({ status: 'out' })

/** Whose data is on the page. */
export function ownerOf(s: Session): User | undefined {
  if (s.status === 'in') return s.user
  return s.status === 'out' ? s.kept : undefined
}

/** The sign-in that waits for its second factor. It lives in memory only: a reload begins again with the password. */
let challenge = ''
let methods: readonly string[] = []
export const isChallenged = () => challenge !== ''
/** What ends the sign-in that waits: totp, passkey, backup_code. */
export const waysOn = () => methods

/** Gives up a sign-in that waits. */
export const leaveChallenge = () => {
  challenge = ''
}

/** For the sign-in page's beforeLoad: takes a sign-in over that an OpenID provider began, out of the address and the history. */
export function takeChallenge(hash: string): boolean {
  const given = new URLSearchParams(hash)
  const token = given.get('challenge_token')
  if (!token) return false
  challenge = token
  methods = (given.get('methods') ?? '').split(' ')
  return true
}

/** Signs in, or says that the account asks for a second factor too. The answer to what the page asked when it was loaded comes first: it
 * says that nobody is signed in here. */
export async function signIn(username: string, password: string): Promise<'in' | 'challenged'> {
  await running?.catch(() => undefined)
  const answer: Answer = await (await post('/api/auth/login', { username, password })).json()
  challenge = answer.challenge_token ?? ''
  methods = answer.methods ?? ['totp', 'backup_code']
  if (answer.two_factor_required) return 'challenged'
  begin(answer)
  return 'in'
}

/** Ends a sign-in with a code of the authenticator app, or a backup code. */
export async function proveSecondFactor(code: string): Promise<void> {
  begin(await (await post('/api/auth/2fa/verify-login', { challenge_token: challenge, code })).json())
  challenge = ''
}

/** Signs in with a passkey: alone, or as the second factor of the sign-in that waits. */
export async function provePasskey(): Promise<void> {
  const asked: Schemas['PasskeyChallenge'] = await (
    await post('/api/auth/passkeys/login', challenge ? { challenge_token: challenge } : {})
  ).json()
  const credential = await usePasskey(asked)
  const { challenge_token } = asked
  begin(await (await post('/api/auth/passkeys/login/finish', { challenge_token, credential })).json())
  challenge = ''
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
    forgetPlace()
    tabs?.postMessage('signed out')
  }
}

/** A second factor is required from now on, or has been turned on. */
export const mustEnrol = () => session.update((s) => (s.status === 'in' ? { ...s, enrolling: true } : s))
export const enrolled = () => session.update((s) => (s.status === 'in' ? { ...s, enrolling: false } : s))

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
  const { status } = session.get()
  let reason: EndReason = 'expired'
  try {
    const response = await post('/api/auth/refresh')
    if (response.status !== 204) {
      begin(await response.json())
      return true
    }
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 401) throw error
    if (error.code === 'refresh_reused') reason = 'stolen'
  }
  if (status !== 'out') end(status === 'in' || reason === 'stolen' ? reason : undefined)
  return false
}

/** Shows the server once more who is there. The tokens are new ones afterwards, so this and an exchange of them take turns. */
export async function prove(password: string): Promise<void> {
  await alone(async () => {
    const now = session.get()
    if (now.status !== 'in') return false
    begin(await (await post('/api/auth/prove', { password }, now.token)).json())
    return true
  })
}

/** The session as it is, after asking the server once when the page was just loaded. */
export async function ensureSession(): Promise<Session> {
  if (session.get().status === 'unknown') await refresh()
  return session.get()
}
