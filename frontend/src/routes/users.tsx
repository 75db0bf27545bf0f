import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, body, type Schemas } from '../api/client.ts'
import { roles, tenants, users } from '../api/queries.ts'
import { session, type User } from '../auth/session.ts'
import { words } from '../i18n/en/users.ts'
import { absolute } from '../lib/format.ts'
import { names } from '../lib/names.ts'
import { useStore } from '../lib/store.ts'
import { Action } from '../ui/action.tsx'
import { Copy } from '../ui/copy.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Check, Field } from '../ui/field.tsx'
import { FormDialog, faultsOf } from '../ui/form.tsx'
import { PageHead, Ready } from '../ui/page.tsx'
import { State } from '../ui/state.tsx'
import { Time } from '../ui/time.tsx'
import { toastDone } from '../ui/toast.tsx'
import { Loaded } from '../ui/views.tsx'

const w = words.users

type Asked = { what: 'create' | 'invite' } | { what: 'edit' | 'delete'; user: User }

export function UsersPage() {
  const query = useQuery(users())
  useQuery(tenants()) // tells their names
  const [asked, setAsked] = useState<Asked>()
  const close = () => setAsked(undefined)
  return (
    <>
      <PageHead title={w.title}>
        <button type="button" className="button" onClick={() => setAsked({ what: 'invite' })}>
          {w.invite}
        </button>
        <button type="button" className="button primary" onClick={() => setAsked({ what: 'create' })}>
          {w.create}
        </button>
      </PageHead>
      <Loaded query={query}>
        {(list) => (
          <>
            <Table list={list.items} ask={setAsked} />
            <Ready />
          </>
        )}
      </Loaded>
      {asked?.what === 'create' ? <Create onClose={close} /> : null}
      {asked?.what === 'invite' ? <Invite onClose={close} /> : null}
      {asked?.what === 'edit' ? <Edit user={asked.user} onClose={close} /> : null}
      {asked?.what === 'delete' ? <Remove user={asked.user} onClose={close} /> : null}
    </>
  )
}

function Table({ list, ask }: { list: User[]; ask: (asked: Asked) => void }) {
  const known = useStore(names)
  const now = useStore(session)
  return (
    <div className="table-scroll" tabIndex={0} role="region" aria-label={w.title}>
      <table>
        <thead>
          <tr>
            <th scope="col">{w.username}</th>
            <th scope="col">{w.email}</th>
            <th scope="col">{w.role}</th>
            <th scope="col">{w.tenant}</th>
            <th scope="col">{words.common.state}</th>
            <th scope="col">{words.common.created}</th>
            <th scope="col">
              <span className="visually-hidden">{words.common.more}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {list.map((u) => (
            <tr key={u.id}>
              <th scope="row">{u.username}</th>
              <td>
                {u.email}
                {u.email_verified ? null : <span className="why">{w.unverified}</span>}
              </td>
              <td>{u.role}</td>
              <td>{known.get(`tenant/${u.tenant}`) ?? u.tenant}</td>
              <td>
                <State word={u.disabled ? w.disabled : w.active} />
              </td>
              <td>
                <Time at={u.created_at} />
              </td>
              <td className="end">
                <span className="row">
                  <button type="button" className="button" aria-label={w.editNamed(u.username)} onClick={() => ask({ what: 'edit', user: u })}>
                    {w.edit}
                  </button>
                  <Action
                    label={w.delete}
                    name={w.deleteNamed(u.username)}
                    className="danger"
                    why={now.status === 'in' && now.user.id === u.id ? w.yourself : undefined}
                    onAction={() => ask({ what: 'delete', user: u })}
                  />
                </span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** Does something to the accounts, and shows them as they are then. */
function useChange<T, A>(run: (asked: A) => Promise<T>, onDone: (answer: T) => void) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: run,
    onSuccess: (answer) => {
      void client.invalidateQueries({ queryKey: ['users'] })
      onDone(answer)
    },
  })
}

function RoleField({ now, fault }: { now?: string; fault: string | undefined }) {
  const { data } = useQuery(roles())
  const known = data?.items.map((r) => r.name) ?? (now ? [now] : [])
  return (
    <Field label={w.role} fault={fault}>
      {(c) => (
        <select {...c} name="role" key={known.length} defaultValue={now ?? 'developer'}>
          {known.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      )}
    </Field>
  )
}

function TenantField({ now, fault }: { now?: string; fault: string | undefined }) {
  const { data } = useQuery(tenants())
  return (
    <Field label={w.tenant} fault={fault}>
      {(c) => (
        <select {...c} name="tenant" key={data?.items.length ?? 0} defaultValue={now ?? ''}>
          {now ? null : <option value="">{w.firstTenant}</option>}
          {data?.items.map((t) => (
            <option key={t.id} value={t.id}>
              {t.name}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}

const place = (form: FormData) => ({
  role: String(form.get('role')) as User['role'], // one of those that the server named
  tenant: String(form.get('tenant')) || undefined,
})

function Create({ onClose }: { onClose: () => void }) {
  const create = useChange(
    (request: Schemas['CreateUser']) => body(api.POST('/api/v1/users', { body: request })),
    (u) => {
      toastDone(w.made(u.username))
      onClose()
    },
  )
  const { at, whole } = faultsOf(create.error, ['username', 'email', 'password', 'role', 'tenant'])
  const submit = (form: FormData) =>
    create.mutate({
      username: String(form.get('username')),
      email: String(form.get('email')),
      password: String(form.get('password')),
      ...place(form),
    })
  return (
    <FormDialog title={w.create} submit={w.submit} busy={create.isPending} error={whole} onClose={onClose} onSubmit={submit}>
      <Field label={w.username} fault={at.username}>
        {(c) => <input {...c} name="username" autoComplete="off" autoCapitalize="none" spellCheck={false} required maxLength={64} />}
      </Field>
      <Field label={w.email} fault={at.email}>
        {(c) => <input {...c} name="email" type="email" autoComplete="off" required maxLength={254} />}
      </Field>
      <div className="columns">
        <RoleField fault={at.role} />
        <TenantField fault={at.tenant} />
      </div>
      <Field label={w.password} hint={w.hint} fault={at.password}>
        {(c) => <input {...c} name="password" type="password" autoComplete="new-password" required minLength={12} maxLength={1024} />}
      </Field>
    </FormDialog>
  )
}

function Invite({ onClose }: { onClose: () => void }) {
  const invite = useMutation({
    mutationFn: (request: Schemas['CreateInvite']) => body(api.POST('/api/v1/invites', { body: request })),
  })
  const { at, whole } = faultsOf(invite.error, ['email', 'role', 'tenant'])
  const made = invite.data
  if (made)
    return (
      <Dialog title={w.invite} onClose={onClose}>
        <p>{w.inviteLink(made.email, absolute(Date.parse(made.expires_at)))}</p>
        <div className="command">
          <code>{made.url}</code>
          <Copy text={made.url} />
        </div>
        <div>
          <button type="button" className="button" onClick={onClose}>
            {words.common.close}
          </button>
        </div>
      </Dialog>
    )
  return (
    <FormDialog
      title={w.invite}
      submit={w.inviteMake}
      busy={invite.isPending}
      error={whole}
      onClose={onClose}
      onSubmit={(form) => invite.mutate({ email: String(form.get('email')), ...place(form) })}
    >
      <p className="muted">{w.inviteText}</p>
      <Field label={w.email} fault={at.email}>
        {(c) => <input {...c} name="email" type="email" autoComplete="off" required maxLength={254} />}
      </Field>
      <div className="columns">
        <RoleField fault={at.role} />
        <TenantField fault={at.tenant} />
      </div>
    </FormDialog>
  )
}

function Edit({ user: u, onClose }: { user: User; onClose: () => void }) {
  const save = useChange(
    (form: FormData) =>
      body(
        api.PATCH('/api/v1/users/{id}', {
          params: { path: { id: u.id }, header: { 'If-Match': `"${u.version}"` } },
          body: { ...place(form), disabled: form.has('disabled') },
        }),
      ),
    (saved) => {
      toastDone(w.saved(saved.username))
      onClose()
    },
  )
  const { at, whole } = faultsOf(save.error, ['role', 'tenant'])
  return (
    <FormDialog
      title={w.editNamed(u.username)}
      submit={words.common.save}
      busy={save.isPending}
      error={whole}
      onClose={onClose}
      onSubmit={(form) => save.mutate(form)}
    >
      <div className="columns">
        <RoleField now={u.role} fault={at.role} />
        <TenantField now={u.tenant} fault={at.tenant} />
      </div>
      <Check label={w.mayNot} hint={w.mayNotHint} name="disabled" defaultChecked={u.disabled} />
    </FormDialog>
  )
}

function Remove({ user: u, onClose }: { user: User; onClose: () => void }) {
  const remove = useChange(() => api.DELETE('/api/v1/users/{id}', { params: { path: { id: u.id } } }), onClose)
  return (
    <FormDialog
      title={w.deleteTitle(u.username)}
      submit={w.delete}
      danger
      busy={remove.isPending}
      error={remove.error}
      onClose={onClose}
      onSubmit={() => remove.mutate(undefined)}
    >
      <p>{w.deleteText}</p>
    </FormDialog>
  )
}
