import { words } from '../i18n/en/account.ts'
import { Field } from '../ui/field.tsx'
import { faultsOf } from '../ui/form.tsx'
import { Refusal } from '../ui/refusal.tsx'

type Props = {
  label: string
  busy: boolean
  error: unknown
  onSubmit: (request: { email: string }) => void
}

/** Asks for the address that a mail shall go to. */
export function AddressForm({ label, busy, error, onSubmit }: Props) {
  const { at, whole } = faultsOf(error, ['email'])
  const submit = (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (!busy) onSubmit({ email: String(new FormData(event.currentTarget).get('email')).trim() })
  }
  return (
    <form onSubmit={submit} method="post" className="stack">
      <Refusal error={whole} />
      <Field label={words.email} fault={at.email}>
        {(c) => <input {...c} name="email" type="email" autoComplete="email" required maxLength={254} />}
      </Field>
      <button type="submit" className="button primary" aria-disabled={busy}>
        {label}
      </button>
    </form>
  )
}
