import { useMutation } from '@tanstack/react-query'
import { words } from '../i18n/en/account.ts'
import { AddressForm } from './address-form.tsx'
import { resendVerification } from './post.ts'

const w = words.verify

/** Asks for another mail that confirms the address. */
export function Resend() {
  const resend = useMutation({ mutationFn: resendVerification })
  if (resend.isSuccess) return <p role="status">{w.sent}</p>
  return (
    <>
      <p className="muted">{w.intro}</p>
      <AddressForm label={w.submit} busy={resend.isPending} error={resend.error} onSubmit={resend.mutate} />
    </>
  )
}
