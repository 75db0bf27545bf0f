import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { api, body } from '../api/client.ts'
import { Problem } from '../api/problem.ts'
import { tenants, user } from '../api/queries.ts'
import { useRights } from '../auth/rights.ts'
import type { User } from '../auth/session.ts'
import { words } from '../i18n/en/users.ts'
import { names } from '../lib/names.ts'
import { useStore } from '../lib/store.ts'
import { Action } from '../ui/action.tsx'
import { ConfirmDialog } from '../ui/confirm.tsx'
import { PageHead, Ready } from '../ui/page.tsx'
import { State } from '../ui/state.tsx'
import { Time } from '../ui/time.tsx'
import { toastDone, toastError } from '../ui/toast.tsx'
import { Empty, Loaded } from '../ui/views.tsx'
import { Edit, Remove, useOwn } from '../users/change.tsx'
import { FactorCard } from '../users/factor.tsx'
import { useChange } from '../users/fields.tsx'
import { MembershipsCard } from '../users/memberships.tsx'
import { SessionsCard } from '../users/sessions.tsx'

const w = words.users

export function UserPage() {
  const { id } = useParams({ from: '/shell/admin/users/$id' })
  const query = useQuery(user(id))
  if (query.error instanceof Problem && query.error.status === 404) return <Gone />
  return (
    <Loaded query={query} lines={6}>
      {(u) => <Whole user={u} />}
    </Loaded>
  )
}

function Whole({ user: u }: { user: User }) {
  useQuery(tenants()) // tells their names
  const known = useStore(names)
  const rights = useRights()
  const why = rights.everyone ? undefined : words.common.forbidden('account.write')
  return (
    <>
      <PageHead title={u.username} beside={<State word={u.disabled ? w.disabled : w.active} />}>
        <Actions user={u} why={why} />
      </PageHead>
      <div className="stack">
        <div className="cards">
          <section className="card">
            <h2>{w.account}</h2>
            <dl className="facts">
              <dt>{w.email}</dt>
              <dd>
                {u.email}
                {u.email_verified ? null : <span className="why">{w.unverified}</span>}
              </dd>
              <dt>{w.role}</dt>
              <dd>
                <Link to="/admin/roles">{u.role}</Link>
              </dd>
              <dt>{w.tenant}</dt>
              <dd>{known.get(`tenant/${u.tenant}`) ?? u.tenant}</dd>
              <dt>{w.created}</dt>
              <dd>
                <Time at={u.created_at} />
              </dd>
            </dl>
            {rights.audit ? (
              <p className="after">
                <Link to="/admin/audit" search={{ user: u.id }}>
                  {w.did}
                </Link>
              </p>
            ) : null}
          </section>
          <FactorCard user={u} why={why} />
        </div>
        <MembershipsCard user={u} why={why} />
        <SessionsCard user={u} why={why} />
      </div>
      <Ready />
    </>
  )
}

function Actions({ user: u, why }: { user: User; why: string | undefined }) {
  const own = useOwn(u)
  const [asked, setAsked] = useState<'edit' | 'delete' | 'lock'>()
  const close = () => setAsked(undefined)
  const unlock = useChange(
    () => setLocked(u, false),
    () => toastDone(w.unlocked(u.username)),
  )
  return (
    <>
      <Action label={w.edit} why={why} onAction={() => setAsked('edit')} />
      {u.disabled ? (
        <Action label={w.unlock} why={why} onAction={() => !unlock.isPending && unlock.mutate(undefined, { onError: toastError })} />
      ) : (
        <Action label={w.lock} why={why ?? own} onAction={() => setAsked('lock')} />
      )}
      <Action label={w.delete} className="danger" why={why ?? own} onAction={() => setAsked('delete')} />
      {asked === 'edit' ? <Edit user={u} onClose={close} /> : null}
      {asked === 'delete' ? <Remove user={u} onClose={close} /> : null}
      {asked === 'lock' ? <Lock user={u} onClose={close} /> : null}
    </>
  )
}

const setLocked = (u: User, disabled: boolean) =>
  body(
    api.PATCH('/api/v1/users/{id}', {
      params: { path: { id: u.id }, header: { 'If-Match': `"${u.version}"` } },
      body: { disabled },
    }),
  )

function Lock({ user: u, onClose }: { user: User; onClose: () => void }) {
  const client = useQueryClient()
  return (
    <ConfirmDialog
      title={w.lockTitle(u.username)}
      submit={w.lock}
      text={w.lockText}
      act={() => setLocked(u, true)}
      onDone={() => {
        toastDone(w.locked(u.username))
        void client.invalidateQueries({ queryKey: ['users'] })
      }}
      onClose={onClose}
    />
  )
}

function Gone() {
  return (
    <>
      <PageHead title={w.gone} />
      <Empty text={w.goneText}>
        <Link to="/admin/users" className="button">
          {w.toList}
        </Link>
      </Empty>
    </>
  )
}
