import { Link } from '@tanstack/react-router'
import type { Node, Operation } from '../api/client.ts'
import type { VMCounts } from '../api/queries.ts'
import { words } from '../i18n/en/dashboard.ts'
import { kindWords } from '../i18n/en/shell.ts'
import { SubjectLink } from '../operations/view.tsx'
import { Mark, State } from '../ui/state.tsx'
import { Time } from '../ui/time.tsx'
import { Loaded } from '../ui/views.tsx'

const w = words.dashboard
const day = 86_400_000 // ms: a failure of yesterday is history
const full = 0.9 // share of a node's disk from which on VMs may soon fail to write

type Props = {
  counts: { data: VMCounts | undefined; error: unknown; refetch: () => unknown }
  nodes: Node[]
  failed: Operation[]
}

/** What somebody should look at, worst first; saying that there is nothing is worth a line, too. */
export function AttentionCard({ counts, nodes, failed }: Props) {
  return (
    <section className="card">
      <h2>{w.attention}</h2>
      <Loaded query={counts} lines={1}>
        {(c) => <Items counts={c} nodes={nodes} failed={failed} />}
      </Loaded>
    </section>
  )
}

function Items({ counts, nodes, failed }: { counts: VMCounts; nodes: Node[]; failed: Operation[] }) {
  const bad = (['error', 'unknown'] as const).filter((s) => counts.by[s] > 0)
  const down = nodes.filter((n) => n.state === 'lost' || n.state === 'dead')
  const filling = nodes.filter((n) => n.state === 'alive' && n.disk_free_bytes < n.disk_total_bytes * (1 - full))
  const fresh = failed.filter((o) => Date.now() - Date.parse(o.updated_at) < day)
  if (bad.length + down.length + filling.length + fresh.length === 0)
    return (
      <p className="row">
        <Mark tone="ok" /> {w.allGood}
      </p>
    )
  return (
    <ul className="list">
      {down.map((n) => (
        <li key={n.id}>
          <Link to="/nodes/$id" params={{ id: n.id }}>
            {w.nodeIs(n.name, n.state)}
          </Link>
          <State word={n.state} />
        </li>
      ))}
      {bad.map((status) => (
        <li key={status}>
          <Link to="/vms" search={{ status }}>
            {w.vmsIn(counts.by[status], status)}
          </Link>
          <State word={status} />
        </li>
      ))}
      {filling.map((n) => (
        <li key={`disk/${n.id}`}>
          <Link to="/nodes/$id" params={{ id: n.id }}>
            {w.diskFull(n.name)}
          </Link>
          <State word={w.nearlyFull} tone="warn" />
        </li>
      ))}
      {fresh.map((o) => (
        <li key={o.id}>
          <span>
            {o.status === 'stuck' ? (
              <Link to="/operations" search={{ status: 'stuck' }}>
                {w.stuck(kindWords(o.kind))}
              </Link>
            ) : (
              w.failed(kindWords(o.kind))
            )}{' '}
            <SubjectLink subject={o.subject} once={o.subject_name} />
          </span>
          <span className="muted">
            <Time at={o.updated_at} />
          </span>
          {o.error ? <span className="why">{o.error.message}</span> : null}
        </li>
      ))}
    </ul>
  )
}
