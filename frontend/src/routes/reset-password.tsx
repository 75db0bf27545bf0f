import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Problem } from '../api/problem.ts'
import { resetPassword } from '../auth/post.ts'
import { forgetSecret, useSecret } from '../auth/secret.ts'
import { words } from '../i18n/en/account.ts'
import { Gate } from '../ui/gate.tsx'
import { faultsOf } from '../ui/form.tsx'
import { Password } from '../ui/password.tsx'
import { Refusal } from '../ui/refusal.tsx'

const w = words.reset

export function ResetPasswordPage() {
  const { secret, nth } = useSecret('/auth/reset-password')
  return <ResetPassword key={nth} token={secret} />
}

function ResetPassword({ token }: { token: string }) {
  const reset = useMutation({ mutationFn: resetPassword, onSuccess: () => forgetSecret('/auth/reset-password') })
  const spent = reset.error instanceof Problem && reset.error.code === 'token_used'
  const submit = (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const password = String(new FormData(event.currentTarget).get('password'))
    if (!reset.isPending) reset.mutate({ token, password })
  }
  if (reset.isSuccess)
    return (
      <Gate title={w.title}>
        <p role="status">{w.done}</p>
        <Link to="/auth/login" className="button primary">
          {words.toLogin}
        </Link>
      </Gate>
    )
  if (!token || spent)
    return (
      <Gate title={w.title}>
        {spent ? <Refusal error={reset.error} /> : <p>{w.none}</p>}
        <Link to="/auth/forgot-password" className="button primary">
          {w.another}
        </Link>
      </Gate>
    )
  const { at, whole } = faultsOf(reset.error, ['password'])
  return (
    <Gate title={w.title}>
      <p className="muted">{w.intro}</p>
      <form onSubmit={submit} method="post" className="stack">
        <Refusal error={whole} />
        <Password
          label={words.newPassword}
          name="password"
          kind="new"
          hint={words.passwordHint}
          fault={at.password}
        />
        <button type="submit" className="button primary" aria-disabled={reset.isPending}>
          {w.submit}
        </button>
      </form>
    </Gate>
  )
}
