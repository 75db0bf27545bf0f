import { Problem, problemOf } from '../api/problem.ts'
import type { components } from '../api/schema.d.ts'
import { words } from '../i18n/en/core.ts'

type Schemas = components['schemas']

/** A POST without the machinery of a session: what is asked before there is one, and what begins and ends it. */
export async function post(path: string, body?: unknown, token?: string): Promise<Response> {
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

/** The ways to sign in here, beside the password. */
export async function signInMethods(): Promise<Schemas['SignInMethods']> {
  const response = await fetch('/api/auth/methods')
  if (!response.ok) throw await problemOf(response)
  return response.json()
}

/** The same as a query, for the pages that offer them. Without an answer the password still works. */
export const signInWays = { queryKey: ['sign-in methods'], queryFn: signInMethods, staleTime: 60_000, retry: false } as const

/** Makes an account. The answer says whether a mail must be answered before the first sign-in. */
export async function register(request: Schemas['Register']): Promise<Schemas['Registered']> {
  return (await post('/api/auth/register', request)).json()
}

// The answers to these are the same whether or not there is such an account.
export const forgotPassword = (request: Schemas['EmailOnly']) => post('/api/auth/forgot-password', request)
export const resendVerification = (request: Schemas['EmailOnly']) => post('/api/auth/resend-verification', request)

export const resetPassword = (request: Schemas['ResetPassword']) => post('/api/auth/reset-password', request)
export const verifyEmail = (request: Schemas['TokenOnly']) => post('/api/auth/verify-email', request)

/** Of the address that the account shall have from now on. */
export const confirmEmail = (request: Schemas['TokenOnly']) => post('/api/auth/confirm-email', request)
