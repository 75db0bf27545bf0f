import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api, type Schemas } from '../api/client.ts'
import { me, tenants } from '../api/queries.ts'
import type { User } from '../auth/session.ts'
import { words } from '../i18n/en/settings.ts'
import { names } from '../lib/names.ts'
import { useStore } from '../lib/store.ts'
import { Field } from '../ui/field.tsx'
import { FormDialog, faultsOf } from '../ui/form.tsx'
import { Ready } from '../ui/page.tsx'
import { Password } from '../ui/password.tsx'
import { Time } from '../ui/time.tsx'
import { Loaded } from '../ui/views.tsx'

const w = words.profile

export function Profile() {
  const query = useQuery(me())
  useQuery(tenants()) // tells their names
  const [changing, setChanging] = useState(false)
  const [sent, setSent] = useState('')
  return (
    <section className="card stack narrow">
      <h2>{w.account}</h2>
      <Loaded query={query}>
        {(user) => (
          <>
            <Facts user={user} />
            <Ready />
          </>
        )}
      </Loaded>
      {sent ? (
        <p className="alert info" role="status">
          {w.sent(sent)}
        </p>
      ) : null}
      <div>
        <button type="button" className="button" onClick={() => setChanging(true)}>
          {w.change}
        </button>
      </div>
      {changing ? <ChangeEmail onClose={() => setChanging(false)} onSent={setSent} /> : null}
    </section>
  )
}

function Facts({ user }: { user: User }) {
  const known = useStore(names)
  return (
    <dl className="facts">
      <dt>{w.username}</dt>
      <dd>{user.username}</dd>
      <dt>{w.email}</dt>
      <dd>
        {user.email}
        {user.email_verified ? null : <span className="why">{w.unconfirmed}</span>}
      </dd>
      <dt>{w.role}</dt>
      <dd>{user.role}</dd>
      <dt>{w.tenant}</dt>
      <dd>{known.get(`tenant/${user.tenant}`) ?? user.tenant}</dd>
      <dt>{w.since}</dt>
      <dd>
        <Time at={user.created_at} />
      </dd>
    </dl>
  )
}

function ChangeEmail({ onClose, onSent }: { onClose: () => void; onSent: (email: string) => void }) {
  const change = useMutation({
    mutationFn: (request: Schemas['ChangeEmail']) => api.POST('/api/auth/change-email', { body: request }),
    onSuccess: (_, { email }) => {
      onSent(email)
      onClose()
    },
  })
  const { at, whole } = faultsOf(change.error, ['email', 'password'])
  const submit = (form: FormData) =>
    change.mutate({ email: String(form.get('email')).trim(), password: String(form.get('password')) })
  return (
    <FormDialog
      title={w.change}
      submit={w.submit}
      busy={change.isPending}
      error={whole}
      onClose={onClose}
      onSubmit={submit}
    >
      <Field label={w.newEmail} hint={w.hint} fault={at.email}>
        {(c) => <input {...c} name="email" type="email" autoComplete="email" required maxLength={254} />}
      </Field>
      <Password label={words.present} name="password" kind="current" fault={at.password} />
    </FormDialog>
  )
}
