import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, type Schemas } from '../api/client.ts'
import { invites } from '../api/queries.ts'
import { words } from '../i18n/en/users.ts'
import { Action } from '../ui/action.tsx'
import { ConfirmDialog } from '../ui/confirm.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Time } from '../ui/time.tsx'
import { ErrorView } from '../ui/views.tsx'

const w = words.users

/** The invitations that nobody has used yet, and an end to each. Without any there is nothing to show. */
export function Invites({ why }: { why: string | undefined }) {
  const query = useQuery(invites())
  const [asked, setAsked] = useState<Schemas['Invite']>()
  if (query.error && !query.data) return <ErrorView error={query.error} retry={() => void query.refetch()} />
  const list = query.data?.items ?? []
  return (
    <>
      {list.length > 0 ? (
        <section className="stack after">
          <h2>{w.invites}</h2>
          <DataTable label={w.invites} columns={[w.email, w.role, w.tenant, w.invitedBy, w.inviteEnds]} last={words.common.more}>
            {list.map((i) => (
              <tr key={i.id}>
                <th scope="row">{i.email}</th>
                <td>{i.role}</td>
                <td>{i.tenant_name}</td>
                <td>{i.invited_by}</td>
                <td>
                  <Time at={i.expires_at} />
                </td>
                <td className="end">
                  <Action label={w.withdraw} name={w.withdrawNamed(i.email)} className="danger" why={why} onAction={() => setAsked(i)} />
                </td>
              </tr>
            ))}
          </DataTable>
        </section>
      ) : null}
      {asked ? <Withdraw invite={asked} onClose={() => setAsked(undefined)} /> : null}
    </>
  )
}

function Withdraw({ invite: i, onClose }: { invite: Schemas['Invite']; onClose: () => void }) {
  const client = useQueryClient()
  return (
    <ConfirmDialog
      title={w.withdrawTitle(i.email)}
      submit={w.withdraw}
      text={w.withdrawText}
      act={() => api.DELETE('/api/v1/invites/{id}', { params: { path: { id: i.id } } })}
      onDone={() => void client.invalidateQueries({ queryKey: invites().queryKey })}
      onClose={onClose}
    />
  )
}
