import { useMutation } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { api, type Schemas } from '../api/client.ts'
import { Problem } from '../api/problem.ts'
import { FactorCard } from '../factor/card.tsx'
import { IdentityCard } from '../factor/identity.tsx'
import { PasskeysCard } from '../factor/passkeys.tsx'
import { words as gate } from '../i18n/en/account.ts'
import { words } from '../i18n/en/settings.ts'
import { FormDialog, faultsOf } from '../ui/form.tsx'
import { Password } from '../ui/password.tsx'
import { toastDone } from '../ui/toast.tsx'

const w = words.security

export function Security() {
  const { refused } = useSearch({ from: '/shell/settings/security' })
  const [changing, setChanging] = useState(false)
  return (
    <div className="stack narrow">
      <section className="card stack">
        <h2>{w.password}</h2>
        <p>{w.passwordText}</p>
        <div>
          <button type="button" className="button" onClick={() => setChanging(true)}>
            {w.change}
          </button>
        </div>
        {changing ? <ChangePassword onClose={() => setChanging(false)} /> : null}
      </section>
      <FactorCard />
      <PasskeysCard />
      <IdentityCard refused={refused} />
    </div>
  )
}

function ChangePassword({ onClose }: { onClose: () => void }) {
  const change = useMutation({
    mutationFn: (request: Schemas['ChangePassword']) => api.POST('/api/auth/change-password', { body: request }),
    onSuccess: () => {
      toastDone(w.changed)
      onClose()
    },
  })
  const { at, whole } = faultsOf(change.error, ['password'])
  const wrong = change.error instanceof Problem && change.error.code === 'password_wrong'
  const submit = (form: FormData) =>
    change.mutate({ current_password: String(form.get('current')), new_password: String(form.get('new')) })
  return (
    <FormDialog
      title={w.change}
      submit={w.submit}
      busy={change.isPending}
      error={whole}
      onClose={onClose}
      onSubmit={submit}
    >
      <Password label={words.present} name="current" kind="current" fault={wrong ? at.password : undefined} />
      <Password
        label={gate.newPassword}
        name="new"
        kind="new"
        hint={gate.passwordHint}
        fault={wrong ? undefined : at.password}
      />
    </FormDialog>
  )
}
