import createClient from 'openapi-fetch'
import { goHome, placeOf } from '../auth/place.ts'
import { askProof } from '../auth/proof.ts'
import { mustEnrol, refresh, session } from '../auth/session.ts'
import { words } from '../i18n/en/core.ts'
import { Problem, problemOf } from './problem.ts'
import type { components, paths } from './schema.d.ts'

export type Schemas = components['schemas']
export type VM = Schemas['VM']
export type VMSummary = Schemas['VMSummary']
export type Operation = Schemas['Operation']
export type Image = Schemas['Image']
export type Node = Schemas['Node']
export type Network = Schemas['Network']
export type Snapshot = Schemas['Snapshot']
export type Event = Schemas['Event']

/** Sixteen random bytes in hex. crypto.randomUUID is missing on pages that came over plain HTTP from another machine. */
export function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('')
}

function signed(request: Request): Request {
  const now = session.get()
  if (now.status === 'in') {
    request.headers.set('Authorization', `Bearer ${now.token}`)
    const place = placeOf(now.user.id)
    if (place) request.headers.set('Novacron-Tenant', place.tenant)
  }
  return request
}

/** fetch with the token. A 401 renews the token once, together with whoever else waits for it. Where the server asks once more who is there,
 * the person does, and the request is sent again. */
export async function authorised(request: Request): Promise<Response> {
  const again = request.clone()
  const proven = request.clone()
  let response = await reach(signed(request))
  if (response.status === 401 && (await refresh())) response = await reach(signed(again))
  if (response.ok) return response
  let problem = await problemOf(response)
  if (problem.code === 'proof_needed' && (await askProof())) {
    response = await reach(signed(proven))
    if (response.ok) return response
    problem = await problemOf(response)
  }
  if (problem.code === 'second_factor_needed') mustEnrol()
  if (problem.code === 'not_a_member' && request.headers.has('Novacron-Tenant')) goHome()
  throw problem
}

async function reach(request: Request): Promise<Response> {
  try {
    return await fetch(request)
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new Problem(0, {
      detail: words.errors.unreachable,
      code: 'unreachable',
    })
  }
}

export const api = createClient<paths>({ baseUrl: '', fetch: authorised })

// A repeated POST does its work once: the same key is used when the request is sent again after a 401.
api.use({
  onRequest({ request }) {
    if (request.method === 'POST' && !request.headers.has('Idempotency-Key'))
      request.headers.set('Idempotency-Key', randomKey())
    return request
  },
})

/** The body of a success; failures have been thrown by then. */
export async function body<T>(answer: Promise<{ data?: T }>): Promise<T> {
  const { data } = await answer
  if (data === undefined) throw new Problem(500, { detail: words.errors.emptyAnswer })
  return data
}
