import { useState } from 'react'
import { sentence } from '../api/problem.ts'
import { proveSecondFactor } from '../auth/session.ts'
import { words } from '../i18n/en.ts'
import { Brand } from '../ui/brand.tsx'
import { Field } from '../ui/field.tsx'

const w = words.secondFactor

/** The second step of a sign-in. The sign-in page goes on by itself once there is a session. */
export function SecondFactor({ challenge, onBack }: { challenge: string; onBack: () => void }) {
  const [busy, setBusy] = useState(false)
  const [fault, setFault] = useState<string>()
  const submit = async (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (busy) return
    setBusy(true)
    setFault(undefined)
    try {
      await proveSecondFactor(challenge, String(new FormData(event.currentTarget).get('code')).trim())
    } catch (error) {
      setFault(sentence(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <main className="gate">
      <form onSubmit={submit} method="post" className="card">
        <Brand />
        <h1>{w.title}</h1>
        <Field label={w.code} hint={w.hint} fault={fault}>
          {(c) => (
            <input
              {...c}
              name="code"
              // the only thing to do here
              autoFocus
              autoComplete="one-time-code"
              spellCheck={false}
              required
              maxLength={64}
            />
          )}
        </Field>
        <button type="submit" className="button primary" aria-disabled={busy}>
          {w.submit}
        </button>
        <button type="button" className="button quiet" onClick={onBack}>
          {w.back}
        </button>
      </form>
    </main>
  )
}
