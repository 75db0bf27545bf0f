import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, type Schemas } from '../api/client.ts'
import { roles, tenants, users } from '../api/queries.ts'
import { useRights } from '../auth/rights.ts'
import { words } from '../i18n/en/roles.ts'
import { names } from '../lib/names.ts'
import { useStore } from '../lib/store.ts'
import { EditRole } from '../roles/edit.tsx'
import { Action } from '../ui/action.tsx'
import { ConfirmDialog } from '../ui/confirm.tsx'
import { PageHead, Ready } from '../ui/page.tsx'
import { Empty, Loaded } from '../ui/views.tsx'

const w = words.roles
type Role = Schemas['Role']
type Asked = { what: 'create' } | { what: 'edit' | 'delete'; role: Role }

export function RolesPage() {
  const query = useQuery(roles())
  const [asked, setAsked] = useState<Asked>()
  const close = () => setAsked(undefined)
  const why = useRights().everyone ? undefined : words.common.forbidden('account.write')
  return (
    <>
      <PageHead title={w.title}>
        <Action label={w.create} className="primary" why={why} onAction={() => setAsked({ what: 'create' })} />
      </PageHead>
      <Loaded query={query}>
        {(list) => (
          <div className="stack">
            <Matrix roles={list.items} />
            <h2>{w.ownRoles}</h2>
            <Own roles={list.items.filter((r) => !r.built_in)} why={why} ask={setAsked} />
            <Ready />
          </div>
        )}
      </Loaded>
      {asked?.what === 'create' ? <EditRole onClose={close} /> : null}
      {asked?.what === 'edit' ? <EditRole role={asked.role} onClose={close} /> : null}
      {asked?.what === 'delete' ? <Remove role={asked.role} onClose={close} /> : null}
    </>
  )
}

const few = 5 // holders that are told by name

function Own({ roles: list, why, ask }: { roles: Role[]; why: string | undefined; ask: (asked: Asked) => void }) {
  const people = useQuery(users())
  useQuery(tenants()) // tells their names
  const known = useStore(names)
  if (list.length === 0) return <Empty text={w.none} />
  return (
    <div className="cards">
      {list.map((r) => {
        const have = (people.data?.items ?? []).filter((u) => u.role === r.name).map((u) => u.username)
        return (
          <section key={r.name} className="card stack" aria-label={r.name}>
            <h2 className="row">
              {r.name}
              <span className="grow" />
              <Action label={w.edit} name={w.editNamed(r.name)} className="small" why={why} onAction={() => ask({ what: 'edit', role: r })} />
              <Action label={w.delete} name={w.deleteNamed(r.name)} className="small danger" why={why} onAction={() => ask({ what: 'delete', role: r })} />
            </h2>
            {r.description ? <p>{r.description}</p> : null}
            <p className="muted">
              {w.allows(r.actions.length)} · {reachOf(r, (id) => known.get(`tenant/${id}`) ?? id)}
            </p>
            {people.data ? <p className="muted">{w.who(have.slice(0, few), Math.max(0, have.length - few))}</p> : null}
          </section>
        )
      })}
    </div>
  )
}

/** The server refuses while somebody has it, and names who. */
function Remove({ role, onClose }: { role: Role; onClose: () => void }) {
  const client = useQueryClient()
  return (
    <ConfirmDialog
      title={w.deleteTitle(role.name)}
      submit={w.delete}
      text={w.deleteText}
      act={() => api.DELETE('/api/v1/roles/{id}', { params: { path: { id: role.name } } })}
      onDone={() => void client.invalidateQueries({ queryKey: ['roles'] })}
      onClose={onClose}
    />
  )
}

function reachOf(r: Role, tenant: (id: string) => string): string {
  if (r.tenants === 'named') return r.tenant_ids.map(tenant).join(', ')
  return r.tenants === 'all' ? w.all : w.own
}

/** One row per right, one column per role: what two roles differ in stands side by side. */
function Matrix({ roles: list }: { roles: Role[] }) {
  const actions = [...new Set(list.flatMap((r) => r.actions))].sort()
  return (
    <div className="table-scroll" tabIndex={0} role="region" aria-label={w.matrix}>
      <table className="matrix">
        <thead>
          <tr>
            <th scope="col">{w.may}</th>
            {list.map((r) => (
              <th key={r.name} scope="col">
                {r.name}
                <span className="why">{r.tenants === 'named' ? w.named : r.tenants === 'all' ? w.all : w.own}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {actions.map((action) => (
            <tr key={action}>
              <th scope="row" className="mono">
                {action}
              </th>
              {list.map((r) => {
                const may = r.actions.includes(action)
                return (
                  <td key={r.name}>
                    <span aria-hidden="true" className={may ? 'yes' : 'muted'}>
                      {may ? '✓' : '–'}
                    </span>
                    <span className="visually-hidden">{may ? w.yes(r.name, action) : w.no(r.name, action)}</span>
                  </td>
                )
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
