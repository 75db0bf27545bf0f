import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { tenants, users } from '../api/queries.ts'
import { useRights } from '../auth/rights.ts'
import type { User } from '../auth/session.ts'
import { words } from '../i18n/en/users.ts'
import { names } from '../lib/names.ts'
import { useStore } from '../lib/store.ts'
import { Action } from '../ui/action.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { PageHead, Ready } from '../ui/page.tsx'
import { State } from '../ui/state.tsx'
import { Time } from '../ui/time.tsx'
import { Loaded } from '../ui/views.tsx'
import { Edit, Remove, useOwn } from '../users/change.tsx'
import { Create, Invite } from '../users/create.tsx'
import { Invites } from '../users/invites.tsx'

const w = words.users

type Asked = { what: 'create' | 'invite' } | { what: 'edit' | 'delete'; user: User }

export function UsersPage() {
  const query = useQuery(users())
  useQuery(tenants()) // tells their names
  const [asked, setAsked] = useState<Asked>()
  const close = () => setAsked(undefined)
  const why = useRights().everyone ? undefined : words.common.forbidden('account.write')
  return (
    <>
      <PageHead title={w.title}>
        <Action label={w.invite} why={why} onAction={() => setAsked({ what: 'invite' })} />
        <Action label={w.create} className="primary" why={why} onAction={() => setAsked({ what: 'create' })} />
      </PageHead>
      <Loaded query={query}>
        {(list) => (
          <>
            <Table list={list.items} why={why} ask={setAsked} />
            <Invites why={why} />
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

type TableProps = { list: User[]; why: string | undefined; ask: (asked: Asked) => void }

function Table({ list, why, ask }: TableProps) {
  return (
    <DataTable
      label={w.title}
      columns={[w.username, w.email, w.role, w.tenant, words.common.state, words.common.created]}
      last={words.common.more}
    >
      {list.map((u) => (
        <Row key={u.id} user={u} why={why} ask={ask} />
      ))}
    </DataTable>
  )
}

function Row({ user: u, why, ask }: { user: User; why: string | undefined; ask: (asked: Asked) => void }) {
  const known = useStore(names)
  const own = useOwn(u)
  return (
    <tr>
      <th scope="row">
        <Link to="/admin/users/$id" params={{ id: u.id }}>
          {u.username}
        </Link>
      </th>
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
          <Action label={w.edit} name={w.editNamed(u.username)} why={why} onAction={() => ask({ what: 'edit', user: u })} />
          <Action label={w.delete} name={w.deleteNamed(u.username)} className="danger" why={why ?? own} onAction={() => ask({ what: 'delete', user: u })} />
        </span>
      </td>
    </tr>
  )
}
