import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, body, type Schemas } from '../api/client.ts'
import { userMemberships } from '../api/queries.ts'
import type { User } from '../auth/session.ts'
import { words } from '../i18n/en/users.ts'
import { Action } from '../ui/action.tsx'
import { ConfirmDialog } from '../ui/confirm.tsx'
import { FormDialog, faultsOf } from '../ui/form.tsx'
import { State } from '../ui/state.tsx'
import { Loaded } from '../ui/views.tsx'
import { place, RoleField, TenantField, useChange } from './fields.tsx'

const w = words.users
type Membership = Schemas['Membership']

/** The tenants that somebody acts in, with the role in each. */
export function MembershipsCard({ user: u, why }: { user: User; why: string | undefined }) {
  const query = useQuery(userMemberships(u.id))
  const [asked, setAsked] = useState<'add' | Membership>()
  const close = () => setAsked(undefined)
  return (
    <section className="card stack">
      <h2 className="row">
        {w.memberships}
        <span className="grow" />
        <Action label={w.addMembership} className="small" why={why} onAction={() => setAsked('add')} />
      </h2>
      <Loaded query={query} lines={2}>
        {(list) => (
          <ul className="list">
            {list.items.map((m) => (
              <li key={m.tenant}>
                <span>
                  {m.tenant_name} {m.own ? <State word={w.ownTenant} tone="ok" /> : null}
                  <span className="why">{m.role}</span>
                </span>
                {m.own ? null : (
                  <Action label={w.endMembership} name={w.endMembershipNamed(m.tenant_name)} className="small danger" why={why} onAction={() => setAsked(m)} />
                )}
              </li>
            ))}
          </ul>
        )}
      </Loaded>
      {asked === 'add' ? <Add user={u} onClose={close} /> : null}
      {asked && asked !== 'add' ? <End user={u} membership={asked} onClose={close} /> : null}
    </section>
  )
}

function Add({ user: u, onClose }: { user: User; onClose: () => void }) {
  const add = useChange(
    ({ tenant = '', role }: { tenant?: string | undefined; role: string }) =>
      body(api.PUT('/api/v1/users/{id}/memberships/{tenant}', { params: { path: { id: u.id, tenant } }, body: { role } })),
    onClose,
  )
  const { at, whole } = faultsOf(add.error, ['role', 'tenant'])
  return (
    <FormDialog title={w.addMembershipTitle(u.username)} submit={w.addMembership} busy={add.isPending} error={whole} onClose={onClose} onSubmit={(form) => add.mutate(place(form))}>
      <p className="muted">{w.membershipText}</p>
      <div className="columns">
        <TenantField now={u.tenant} fault={at.tenant} />
        <RoleField fault={at.role} />
      </div>
    </FormDialog>
  )
}

function End({ user: u, membership: m, onClose }: { user: User; membership: Membership; onClose: () => void }) {
  const client = useQueryClient()
  return (
    <ConfirmDialog
      title={w.endMembershipTitle(u.username, m.tenant_name)}
      submit={w.endMembership}
      text={w.endMembershipText}
      act={() => api.DELETE('/api/v1/users/{id}/memberships/{tenant}', { params: { path: { id: u.id, tenant: m.tenant } } })}
      onDone={() => void client.invalidateQueries({ queryKey: ['users'] })}
      onClose={onClose}
    />
  )
}
