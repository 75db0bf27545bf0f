import { useNavigate } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { Problem, sentence } from '../api/problem.ts'
import { setUp } from '../auth/session.ts'
import { words } from '../i18n/en.ts'
import { Brand } from '../shell/brand.tsx'
import { Field } from '../ui/field.tsx'
import { Ready } from '../ui/page.tsx'

const w = words.setup

/** The one-time token stands behind the #, which browsers send to nobody. It leaves the address as soon as it is read. */
function takeToken(): string {
  const token = location.hash.slice(1)
  if (token) history.replaceState(history.state, '', location.pathname)
  return token
}
let taken = ''

export function SetupPage() {
  const navigate = useNavigate()
  const [token] = useState(() => {
    taken = takeToken() || taken
    return taken
  })
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  useEffect(() => {
    document.title = `${w.title} · ${words.product}`
  }, [])
  const faultOf = (name: string) =>
    error instanceof Problem && error.field?.endsWith(name) ? sentence(error) : undefined
  const placed = ['username', 'email', 'password'].some((name) => faultOf(name))

  const submit = async (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (busy) return
    const form = new FormData(event.currentTarget)
    const field = (name: string) => String(form.get(name))
    setBusy(true)
    setError(undefined)
    try {
      await setUp({
        token,
        username: field('username'),
        email: field('email'),
        password: field('password'),
      })
      taken = ''
      await navigate({ to: '/dashboard', replace: true })
    } catch (problem) {
      setError(problem)
    } finally {
      setBusy(false)
    }
  }

  return (
    <main className="gate">
      {token ? (
        <form onSubmit={submit} method="post" className="card">
          <Brand />
          <h1>{w.title}</h1>
          <p className="muted">{w.intro}</p>
          {error && !placed ? (
            <p className="alert" role="alert">
              {sentence(error)}
            </p>
          ) : null}
          <Field label={w.username} fault={faultOf('username')}>
            {(c) => (
              <input
                {...c}
                name="username"
                autoComplete="username"
                autoCapitalize="none"
                spellCheck={false}
                required
                maxLength={64}
              />
            )}
          </Field>
          <Field label={w.email} fault={faultOf('email')}>
            {(c) => <input {...c} name="email" type="email" autoComplete="email" required maxLength={254} />}
          </Field>
          <Field label={w.password} hint={w.hint} fault={faultOf('password')}>
            {(c) => (
              <input
                {...c}
                name="password"
                type="password"
                autoComplete="new-password"
                required
                minLength={12}
                maxLength={1024}
              />
            )}
          </Field>
          <button type="submit" className="button primary" aria-disabled={busy}>
            {w.submit}
          </button>
        </form>
      ) : (
        <div className="card stack">
          <Brand />
          <h1>{w.title}</h1>
          <p>{w.noToken}</p>
        </div>
      )}
      <Ready />
    </main>
  )
}
