import { useMutation } from '@tanstack/react-query'
import { useEffect } from 'react'
import { api, body } from '../api/client.ts'
import { words } from '../i18n/en/settings.ts'
import { Copy } from '../ui/copy.tsx'
import { Field } from '../ui/field.tsx'
import { faultsOf } from '../ui/form.tsx'
import { Refusal } from '../ui/refusal.tsx'
import { ErrorView, Skeleton } from '../ui/views.tsx'

const w = words.factor

type Props = { onEnabled: (codes: string[]) => void; onCancel?: () => void }

/** Turns the second factor on: a key for an authenticator app, and a code of the app that proves that it has the key. */
export function Enrol({ onEnabled, onCancel }: Props) {
  const setup = useMutation({ mutationFn: () => body(api.POST('/api/auth/2fa/setup')) })
  const enable = useMutation({
    mutationFn: (code: string) => body(api.POST('/api/auth/2fa/enable', { body: { code } })),
    onSuccess: (made) => onEnabled(made.backup_codes),
  })
  // The server makes a new key whenever it is asked, and the last one counts: once for each time that this is shown.
  const begin = setup.mutate
  useEffect(() => begin(), [begin])
  const submit = (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (!enable.isPending) enable.mutate(String(new FormData(event.currentTarget).get('code')).trim())
  }
  if (setup.error) return <ErrorView error={setup.error} retry={() => begin()} />
  if (!setup.data) return <Skeleton lines={6} />
  const { at, whole } = faultsOf(enable.error, ['code'])
  return (
    <form onSubmit={submit} className="stack">
      <p>{w.scan}</p>
      <img className="qr" src={`data:image/png;base64,${setup.data.qr_png}`} alt={w.picture} width="192" height="192" />
      <div className="field">
        <span className="label">{w.key}</span>
        <span className="command">
          <code>{setup.data.secret.match(/.{1,4}/g)?.join(' ')}</code>
          <Copy text={setup.data.secret} label={w.copyKey} />
        </span>
      </div>
      <Refusal error={whole} />
      <Field label={w.code} hint={w.codeHint} fault={at.code}>
        {(c) => (
          <input
            {...c}
            name="code"
            className="input code"
            inputMode="numeric"
            autoComplete="one-time-code"
            spellCheck={false}
            required
            maxLength={64}
          />
        )}
      </Field>
      <div className="row">
        {onCancel ? (
          <button type="button" className="button" onClick={onCancel}>
            {words.common.cancel}
          </button>
        ) : null}
        <button type="submit" className="button primary" aria-disabled={enable.isPending}>
          {w.enable}
        </button>
      </div>
    </form>
  )
}
