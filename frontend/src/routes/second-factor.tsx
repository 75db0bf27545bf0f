import { type QueryClient, useQueryClient } from '@tanstack/react-query'
import { Link, Navigate, useNavigate, useSearch } from '@tanstack/react-router'
import { useRef, useState } from 'react'
import { Problem, sentence } from '../api/problem.ts'
import { factor } from '../api/queries.ts'
import { canPasskey } from '../auth/passkey.ts'
import { isChallenged, provePasskey, proveSecondFactor, session, waysOn } from '../auth/session.ts'
import { words } from '../i18n/en/account.ts'
import { useStore } from '../lib/store.ts'
import { Gate } from '../ui/gate.tsx'
import { Field } from '../ui/field.tsx'
import { toastDone } from '../ui/toast.tsx'

const w = words.secondFactor
const digits = 6

/** The second step of a sign-in. Whoever comes here without the first one is sent back to it. */
export function SecondFactorPage() {
  const now = useStore(session)
  const { next } = useSearch({ from: '/auth/2fa' })
  const navigate = useNavigate()
  const client = useQueryClient()
  const app = waysOn().includes('totp')
  const [backup, setBackup] = useState(!app)
  const [busy, setBusy] = useState(false)
  const [fault, setFault] = useState<string>()
  const input = useRef<HTMLInputElement>(null)

  if (now.status === 'in') return next ? <Navigate to={next} replace /> : <Navigate to="/dashboard" replace />
  if (!isChallenged()) return <Navigate to="/auth/login" search={{ next }} replace />

  const end = async (work: () => Promise<void>) => {
    if (busy) return
    setBusy(true)
    setFault(undefined)
    try {
      await work()
    } catch (error) {
      if (error instanceof Problem && error.code === 'challenge_ended')
        return void navigate({ to: '/auth/login', search: { next, again: true }, replace: true })
      setFault(sentence(error))
      if (input.current) {
        input.current.value = ''
        input.current.focus()
      }
    } finally {
      setBusy(false)
    }
  }
  const prove = async (code: string) => {
    if (!code) return
    await end(async () => {
      await proveSecondFactor(code)
      if (backup) void tellCodesLeft(client)
    })
  }
  const submit = (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    void prove(String(new FormData(event.currentTarget).get('code')).trim())
  }
  const other = () => {
    setBackup(!backup)
    setFault(undefined)
  }

  return (
    <Gate title={w.title}>
      <form onSubmit={submit} method="post" className="stack">
        <Field
          key={String(backup)}
          label={backup ? w.backup : w.code}
          hint={backup ? w.backupHint : w.hint}
          fault={fault}
        >
          {(c) => (
            <input
              {...c}
              ref={input}
              name="code"
              className="input code"
              // the only thing to do here
              autoFocus
              inputMode={backup ? 'text' : 'numeric'}
              autoComplete={backup ? 'off' : 'one-time-code'}
              autoCapitalize="none"
              spellCheck={false}
              required
              maxLength={64}
              onInput={(e) => {
                const code = e.currentTarget.value.replaceAll(' ', '')
                if (!backup && code.length === digits) void prove(code)
              }}
            />
          )}
        </Field>
        <button type="submit" className="button primary" aria-disabled={busy}>
          {w.submit}
        </button>
        {waysOn().includes('passkey') && canPasskey() ? (
          <button type="button" className="button" aria-disabled={busy} onClick={() => void end(provePasskey)}>
            {w.passkey}
          </button>
        ) : null}
        {app ? (
          <button type="button" className="button" onClick={other}>
            {backup ? w.useApp : w.useBackup}
          </button>
        ) : null}
      </form>
      <Link to="/auth/login" search={{ next }}>
        {w.back}
      </Link>
    </Gate>
  )
}

/** After a backup code was used. What cannot be read now stands in the settings, and in the mail that was sent. */
async function tellCodesLeft(client: QueryClient) {
  const status = await client.fetchQuery(factor()).catch(() => undefined)
  if (status) toastDone(w.left(status.backup_codes_left))
}
