import { useQuery } from '@tanstack/react-query'
import { Link, Navigate, useNavigate, useSearch } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { Problem, sentence } from '../api/problem.ts'
import { canPasskey } from '../auth/passkey.ts'
import { signInWays } from '../auth/post.ts'
import { ensureSession, leaveChallenge, provePasskey, session, signIn } from '../auth/session.ts'
import { refusedBy, words } from '../i18n/en/core.ts'
import { useNow } from '../lib/clock.ts'
import { useStore } from '../lib/store.ts'
import { Gate } from '../ui/gate.tsx'
import { Field } from '../ui/field.tsx'
import { Password } from '../ui/password.tsx'

const w = words.login

type Refusal = { text: string; until?: number; unverified?: boolean }

export function LoginPage() {
  const now = useStore(session)
  const { next, again, refused } = useSearch({ from: '/auth/login' })
  const navigate = useNavigate()
  const [busy, setBusy] = useState(false)
  const [tried, setTried] = useState(false)
  const [refusal, setRefusal] = useState<Refusal>()
  const password = useRef<HTMLInputElement>(null)
  const { data: ways } = useQuery(signInWays)
  const wait = Math.ceil(((refusal?.until ?? 0) - useNow()) / 1000)

  useEffect(() => {
    // Somebody who is signed in already goes on. A server that does not answer is told on submit.
    ensureSession().catch(() => undefined)
  }, [])

  // Who was signed in before this page and was refused came back from the provider to link the account.
  if (now.status === 'in' && refused && !tried) return <Navigate to="/settings/security" search={{ refused }} replace />
  if (now.status === 'in') return next ? <Navigate to={next} replace /> : <Navigate to="/dashboard" replace />

  const submit = async (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (busy || wait > 0) return
    const form = new FormData(event.currentTarget)
    setBusy(true)
    setTried(true)
    setRefusal(undefined)
    try {
      const step = await signIn(String(form.get('username')), String(form.get('password')))
      if (step === 'challenged') await navigate({ to: '/auth/2fa', search: { next } })
    } catch (error) {
      setRefusal(refusalOf(error))
      if (password.current && error instanceof Problem && error.status === 401) {
        password.current.value = ''
        password.current.focus()
      }
    } finally {
      setBusy(false)
    }
  }

  const byPasskey = async () => {
    if (busy || wait > 0) return
    setBusy(true)
    setTried(true)
    setRefusal(undefined)
    leaveChallenge()
    try {
      await provePasskey()
    } catch (error) {
      setRefusal(error instanceof Problem && error.status === 429 ? refusalOf(error) : { text: sentence(error) })
    } finally {
      setBusy(false)
    }
  }

  return (
    <Gate title={w.title}>
      <form onSubmit={submit} method="post" action="/auth/login" className="stack">
        {refusal ? <Refused {...refusal} wait={wait} /> : <Notice begun={again} refused={refused} />}
        <Field label={w.username}>
          {(c) => (
            <input
              {...c}
              name="username"
              autoComplete="username"
              autoCapitalize="none"
              spellCheck={false}
              required
              maxLength={254}
            />
          )}
        </Field>
        <Password label={w.password} name="password" kind="current" input={password} />
        <button type="submit" className="button primary" aria-disabled={busy || wait > 0}>
          {w.submit}
        </button>
        {ways?.passkeys && canPasskey() ? (
          <button type="button" className="button" aria-disabled={busy || wait > 0} onClick={() => void byPasskey()}>
            {w.passkey}
          </button>
        ) : null}
        {ways?.oidc ? (
          <a className="button" href="/api/auth/oidc/login">
            {w.oidc}
          </a>
        ) : null}
      </form>
      <p className="row apart">
        <Link to="/auth/forgot-password">{w.forgot}</Link>
        {ways?.registration === 'open' ? <Link to="/auth/register">{w.register}</Link> : null}
      </p>
    </Gate>
  )
}

function Refused({ text, unverified, wait }: Refusal & { wait: number }) {
  return (
    <div className="alert" role="alert">
      <p>{wait > 0 ? w.wait(wait) : text}</p>
      {unverified ? <Link to="/auth/verify-email">{w.unverified}</Link> : null}
    </div>
  )
}

/** Why somebody is here who did not ask for it. */
function Notice({ begun, refused }: { begun: boolean | undefined; refused: string | undefined }) {
  const now = useStore(session)
  if (refused)
    return (
      <p className="alert" role="alert">
        {refusedBy(refused)}
      </p>
    )
  if (begun) return <p className="alert info">{w.begin}</p>
  if (now.status !== 'out' || !now.reason) return null
  return now.reason === 'stolen' ? <p className="alert warn">{w.stolen}</p> : <p className="alert info">{w.expired}</p>
}

function refusalOf(error: unknown): Refusal {
  if (!(error instanceof Problem)) return { text: sentence(error) }
  if (error.status === 401) return { text: w.wrong }
  if (error.code === 'email_unverified') return { text: sentence(error), unverified: true }
  if (error.status === 429 && error.retryAfter)
    return {
      text: sentence(error),
      until: Date.now() + error.retryAfter * 1000,
    }
  return { text: sentence(error) }
}
