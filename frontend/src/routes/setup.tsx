import { useNavigate, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { forgetSecret, useSecret } from '../auth/secret.ts'
import { setUp } from '../auth/session.ts'
import { words } from '../i18n/en/setup.ts'
import { SetupFrame, SetupSteps } from '../setup/steps.tsx'
import { Field } from '../ui/field.tsx'
import { faultsOf } from '../ui/form.tsx'
import { Ready } from '../ui/page.tsx'
import { ErrorView } from '../ui/views.tsx'

const w = words.setup

/** The first steps of an installation. The account comes first, with the one-time link; the others can be left out, and a
 * reload goes on where it was, since the step stands in the address and everything else on the server. */
export function SetupPage() {
  const { step } = useSearch({ from: '/setup' })
  const { secret: token } = useSecret('/setup')
  if (step) return <SetupSteps step={step} />
  return (
    <SetupFrame step="account" title={w.title} intro={token ? w.intro : w.noToken}>
      {token ? <Account token={token} /> : null}
      <Ready />
    </SetupFrame>
  )
}

function Account({ token }: { token: string }) {
  const navigate = useNavigate()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const { at, whole } = faultsOf(error, ['username', 'email', 'password'])

  const submit = async (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (busy) return
    const form = new FormData(event.currentTarget)
    const field = (name: string) => String(form.get(name))
    setBusy(true)
    setError(undefined)
    try {
      await setUp({ token, username: field('username'), email: field('email'), password: field('password') })
      await navigate({ to: '/setup', search: { step: 'nodes' }, replace: true })
      forgetSecret('/setup')
    } catch (problem) {
      setError(problem)
    } finally {
      setBusy(false)
    }
  }

  return (
    <form onSubmit={submit} method="post" className="stack">
      {whole ? <ErrorView error={whole} /> : null}
      <Field label={w.username} fault={at.username}>
        {(c) => <input {...c} name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} required maxLength={64} />}
      </Field>
      <Field label={w.email} fault={at.email}>
        {(c) => <input {...c} name="email" type="email" autoComplete="email" required maxLength={254} />}
      </Field>
      <Field label={w.password} hint={w.hint} fault={at.password}>
        {(c) => <input {...c} name="password" type="password" autoComplete="new-password" required minLength={12} maxLength={1024} />}
      </Field>
      <div>
        <button type="submit" className="button primary" aria-disabled={busy}>
          {w.submit}
        </button>
      </div>
    </form>
  )
}
