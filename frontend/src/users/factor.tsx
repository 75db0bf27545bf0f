import { useState } from 'react'
import { api } from '../api/client.ts'
import type { User } from '../auth/session.ts'
import { Confirm } from '../factor/confirm.tsx'
import { words } from '../i18n/en/users.ts'
import { Action } from '../ui/action.tsx'
import { toastDone } from '../ui/toast.tsx'
import { useOwn } from './change.tsx'
import { useChange } from './fields.tsx'

const w = words.users

/** Takes the second factors of somebody who has lost them away. */
export function FactorCard({ user: u, why }: { user: User; why: string | undefined }) {
  const own = useOwn(u)
  const [asked, setAsked] = useState(false)
  const reset = useChange(
    (password: string) =>
      api.POST('/api/v1/users/{id}/reset-second-factor', { params: { path: { id: u.id } }, body: { password } }),
    () => {
      toastDone(w.factorDone(u.username))
      setAsked(false)
    },
  )
  const ask = () => {
    reset.reset()
    setAsked(true)
  }
  return (
    <section className="card stack">
      <h2>{w.factor}</h2>
      <p className="muted">{w.factorText}</p>
      <div>
        <Action label={w.factorReset} className="danger" why={why ?? own} onAction={ask} />
      </div>
      {asked ? (
        <Confirm
          title={w.factorTitle(u.username)}
          text={w.factorConfirm(u.username)}
          submit={w.factorReset}
          danger
          of={reset}
          onClose={() => setAsked(false)}
        />
      ) : null}
    </section>
  )
}
