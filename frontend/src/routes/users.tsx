import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, body, type Schemas } from '../api/client.ts'
import { Problem, sentence } from '../api/problem.ts'
import { users } from '../api/queries.ts'
import { words } from '../i18n/en.ts'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { PageHead, Ready } from '../ui/page.tsx'
import { State } from '../ui/state.tsx'
import { Time } from '../ui/time.tsx'
import { toastDone } from '../ui/toast.tsx'
import { ErrorView, Loaded } from '../ui/views.tsx'

const w = words.users
const roles = ['developer', 'viewer', 'operator', 'administrator'] as const satisfies readonly Schemas['User']['role'][]

export function UsersPage() {
  const query = useQuery(users())
  const [creating, setCreating] = useState(false)
  return (
    <>
      <PageHead title={w.title}>
        <button type="button" className="button primary" onClick={() => setCreating(true)}>
          {w.create}
        </button>
      </PageHead>
      <Loaded query={query}>
        {(list) => (
          <div className="table-scroll" tabIndex={0} role="region" aria-label={w.title}>
            <table>
              <thead>
                <tr>
                  <th scope="col">{w.username}</th>
                  <th scope="col">{w.email}</th>
                  <th scope="col">{w.role}</th>
                  <th scope="col">{words.common.state}</th>
                  <th scope="col">{words.common.created}</th>
                </tr>
              </thead>
              <tbody>
                {list.items.map((u) => (
                  <tr key={u.id}>
                    <th scope="row">{u.username}</th>
                    <td>{u.email}</td>
                    <td>{u.role}</td>
                    <td>{u.disabled ? <State word={w.disabled} /> : w.active}</td>
                    <td>
                      <Time at={u.created_at} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
            <Ready />
          </div>
        )}
      </Loaded>
      {creating ? <Create onClose={() => setCreating(false)} /> : null}
    </>
  )
}

function Create({ onClose }: { onClose: () => void }) {
  const client = useQueryClient()
  const create = useMutation({
    mutationFn: (request: Schemas['CreateUser']) => body(api.POST('/api/v1/users', { body: request })),
    onSuccess: (u) => {
      toastDone(w.made(u.username))
      void client.invalidateQueries({ queryKey: ['users'] })
      onClose()
    },
  })
  const faultOf = (name: string) =>
    create.error instanceof Problem && create.error.field?.endsWith(name) ? sentence(create.error) : undefined
  const placed = ['username', 'email', 'password'].some((name) => faultOf(name))
  const submit = (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const field = (name: string) => String(form.get(name))
    if (create.isPending) return
    create.mutate({
      username: field('username'),
      email: field('email'),
      password: field('password'),
      role: roles.find((r) => r === form.get('role')),
    })
  }
  return (
    <Dialog title={w.create} onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        {create.error && !placed ? <ErrorView error={create.error} /> : null}
        <Field label={w.username} fault={faultOf('username')}>
          {(c) => (
            <input
              {...c}
              name="username"
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              required
              maxLength={64}
            />
          )}
        </Field>
        <Field label={w.email} fault={faultOf('email')}>
          {(c) => <input {...c} name="email" type="email" autoComplete="off" required maxLength={254} />}
        </Field>
        <Field label={w.role}>
          {(c) => (
            <select {...c} name="role">
              {roles.map((r) => (
                <option key={r}>{r}</option>
              ))}
            </select>
          )}
        </Field>
        <Field label={w.password} hint={w.hint} fault={faultOf('password')}>
          {(c) => (
            <input
              {...c}
              name="password"
              type="password"
              autoComplete="new-password"
              required
              minLength={12}
              maxLength={1024}
            />
          )}
        </Field>
        <div className="row">
          <button type="button" className="button" onClick={onClose}>
            {words.common.cancel}
          </button>
          <button type="submit" className="button primary" aria-disabled={create.isPending}>
            {w.submit}
          </button>
        </div>
      </form>
    </Dialog>
  )
}
