import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { forgotPassword } from '../auth/post.ts'
import { AddressForm } from '../auth/address-form.tsx'
import { words } from '../i18n/en/account.ts'
import { Gate } from '../ui/gate.tsx'

const w = words.forgot

export function ForgotPasswordPage() {
  const ask = useMutation({ mutationFn: forgotPassword })
  return (
    <Gate title={w.title}>
      {ask.isSuccess ? (
        <div role="status" className="stack">
          <p>{w.done}</p>
          <p className="muted">{w.doneMore}</p>
        </div>
      ) : (
        <>
          <p className="muted">{w.intro}</p>
          <AddressForm label={w.submit} busy={ask.isPending} error={ask.error} onSubmit={ask.mutate} />
        </>
      )}
      <Link to="/auth/login">{words.toLogin}</Link>
    </Gate>
  )
}
