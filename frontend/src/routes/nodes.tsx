import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import type { Node } from '../api/client.ts'
import { nodes } from '../api/queries.ts'
import { useRights } from '../auth/rights.ts'
import { words } from '../i18n/en/nodes.ts'
import { count } from '../lib/count.ts'
import { bytes, mebibytes } from '../lib/format.ts'
import { JoinCommand } from '../nodes/join.tsx'
import { Action } from '../ui/action.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { PageHead, Ready } from '../ui/page.tsx'
import { State } from '../ui/state.tsx'
import { Time } from '../ui/time.tsx'
import { Empty, Loaded } from '../ui/views.tsx'

const w = words.nodes

export function NodesPage() {
  const query = useQuery(nodes())
  const [joining, setJoining] = useState(false)
  const why = useRights().nodes ? undefined : words.common.forbidden('node.write')
  return (
    <>
      <PageHead title={w.title}>
        <Action label={w.join} className="primary" why={why} onAction={() => setJoining(true)} />
      </PageHead>
      <Loaded query={query}>
        {(list) => (
          <>
            {list.items.length === 0 ? <Empty text={w.empty} /> : <Table list={list.items} />}
            <Ready />
          </>
        )}
      </Loaded>
      {joining ? (
        <Dialog title={w.joinTitle} onClose={() => setJoining(false)}>
          <JoinCommand />
          <div>
            <button type="button" className="button" onClick={() => setJoining(false)}>
              {words.common.close}
            </button>
          </div>
        </Dialog>
      ) : null}
    </>
  )
}

function Table({ list }: { list: Node[] }) {
  return (
    <DataTable
      label={w.title}
      columns={[words.common.name, words.common.state, { numbers: w.vms }, w.cpus, w.memory, w.disk, w.accel, w.seen]}
    >
      {list.map((n) => (
        <tr key={n.id}>
          <th scope="row">
            <Link to="/nodes/$id" params={{ id: n.id }}>
              {n.name}
            </Link>
            {n.cordoned ? <span className="why">{w.cordoned}</span> : null}
          </th>
          <td title={n.state_reason || undefined}>
            <State word={n.state} />
          </td>
          <td className="end">{count(n.vms)}</td>
          <td className="nowrap">{w.allocatedOf(count(n.cpus_allocated), count(n.cpus))}</td>
          <td className="nowrap">
            {w.allocatedOf(mebibytes(n.memory_allocated_mib), mebibytes(n.memory_mib))}
          </td>
          <td className="nowrap">
            {w.usedOf(bytes(n.disk_total_bytes - n.disk_free_bytes), bytes(n.disk_total_bytes))}
          </td>
          <td title={n.accel_reason || undefined}>{n.accel}</td>
          <td>{n.last_seen ? <Time at={n.last_seen} /> : words.common.never}</td>
        </tr>
      ))}
    </DataTable>
  )
}
