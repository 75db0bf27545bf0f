import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { register } from '../auth/post.ts'
import { Resend } from '../auth/resend.tsx'
import { forgetSecret, useSecret } from '../auth/secret.ts'
import { words } from '../i18n/en/account.ts'
import { Gate } from '../ui/gate.tsx'
import { Field } from '../ui/field.tsx'
import { faultsOf } from '../ui/form.tsx'
import { Password } from '../ui/password.tsx'
import { Refusal } from '../ui/refusal.tsx'

const w = words.register

export function RegisterPage() {
  const { secret, nth } = useSecret('/auth/register')
  return <Register key={nth} invite={secret || undefined} />
}

function Register({ invite }: { invite: string | undefined }) {
  const make = useMutation({ mutationFn: register, onSuccess: () => forgetSecret('/auth/register') })
  const { at, whole } = faultsOf(make.error, ['username', 'email', 'password'])
  const submit = (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const field = (name: string) => String(form.get(name))
    if (make.isPending) return
    make.mutate({
      username: field('username').trim(),
      email: field('email').trim(),
      password: field('password'),
      invite,
    })
  }
  if (make.data) return <Made toVerify={make.data.verification_required} email={make.variables.email} />
  return (
    <Gate title={w.title}>
      {invite ? <p className="muted">{w.invited}</p> : null}
      <form onSubmit={submit} method="post" className="stack">
        <Refusal error={whole} />
        <Field label={words.username} hint={w.usernameHint} fault={at.username}>
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
        <Field label={words.email} fault={at.email}>
          {(c) => <input {...c} name="email" type="email" autoComplete="email" required maxLength={254} />}
        </Field>
        <Password
          label={words.password}
          name="password"
          kind="new"
          hint={words.passwordHint}
          fault={at.password}
        />
        <button type="submit" className="button primary" aria-disabled={make.isPending}>
          {w.submit}
        </button>
      </form>
      <Link to="/auth/login">{w.have}</Link>
    </Gate>
  )
}

function Made({ toVerify, email }: { toVerify: boolean; email: string }) {
  return (
    <Gate title={toVerify ? w.inbox : w.done}>
      <p role="status">{toVerify ? w.inboxText(email) : w.doneText}</p>
      <Link to="/auth/login" className="button primary">
        {words.toLogin}
      </Link>
      {toVerify ? (
        <details>
          <summary>{w.resend}</summary>
          <div className="stack">
            <Resend />
          </div>
        </details>
      ) : null}
    </Gate>
  )
}
