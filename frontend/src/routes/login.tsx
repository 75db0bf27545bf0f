import { Navigate, useNavigate, useSearch } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { Problem, sentence } from '../api/problem.ts'
import { ensureSession, session, signIn } from '../auth/session.ts'
import { words } from '../i18n/en.ts'
import { useNow } from '../lib/clock.ts'
import { useStore } from '../lib/store.ts'
import { Brand } from '../ui/brand.tsx'
import { Field } from '../ui/field.tsx'
import { Ready } from '../ui/page.tsx'
import { SecondFactor } from './second-factor.tsx'

const w = words.login

type Refusal = { text: string; until?: number }

export function LoginPage() {
  const now = useStore(session)
  const { next } = useSearch({ from: '/auth/login' })
  const navigate = useNavigate()
  const [busy, setBusy] = useState(false)
  const [challenge, setChallenge] = useState<string>()
  const [refusal, setRefusal] = useState<Refusal>()
  const [shown, setShown] = useState(false)
  const [caps, setCaps] = useState(false)
  const password = useRef<HTMLInputElement>(null)
  const wait = Math.ceil(((refusal?.until ?? 0) - useNow()) / 1000)

  useEffect(() => {
    document.title = `${w.title} · ${words.product}`
    // Somebody who is signed in already goes on. A server that does not answer is told on submit.
    ensureSession().catch(() => undefined)
  }, [])

  if (now.status === 'in') return next ? <Navigate to={next} replace /> : <Navigate to="/dashboard" replace />

  if (challenge) return <SecondFactor challenge={challenge} onBack={() => setChallenge(undefined)} />

  const submit = async (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (busy || wait > 0) return
    const form = new FormData(event.currentTarget)
    setBusy(true)
    setRefusal(undefined)
    try {
      const asked = await signIn(String(form.get('username')), String(form.get('password')))
      if (asked) setChallenge(asked)
      else await navigate({ to: next ?? '/dashboard', replace: true })
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

  return (
    <main className="gate">
      <form onSubmit={submit} method="post" action="/auth/login" className="card">
        <Brand />
        <h1>{w.title}</h1>
        {now.status === 'out' && now.reason === 'expired' && !refusal ? (
          <p className="alert info">{w.expired}</p>
        ) : null}
        {refusal ? (
          <p className="alert" role="alert">
            {wait > 0 ? w.wait(wait) : refusal.text}
          </p>
        ) : null}
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
        <Field label={w.password} hint={caps ? w.caps : undefined}>
          {(c) => (
            <input
              {...c}
              ref={password}
              name="password"
              type={shown ? 'text' : 'password'}
              autoComplete="current-password"
              required
              maxLength={1024}
              onKeyUp={(e) => setCaps(e.getModifierState('CapsLock'))}
            />
          )}
        </Field>
        <div className="row">
          <button type="submit" className="button primary grow" aria-disabled={busy || wait > 0}>
            {w.submit}
          </button>
          <button type="button" className="button" aria-pressed={shown} onClick={() => setShown(!shown)}>
            {shown ? w.hide : w.show}
          </button>
        </div>
      </form>
      <Ready />
    </main>
  )
}

function refusalOf(error: unknown): Refusal {
  if (!(error instanceof Problem)) return { text: sentence(error) }
  if (error.status === 401) return { text: w.wrong }
  if (error.status === 429 && error.retryAfter)
    return {
      text: sentence(error),
      until: Date.now() + error.retryAfter * 1000,
    }
  return { text: sentence(error) }
}
