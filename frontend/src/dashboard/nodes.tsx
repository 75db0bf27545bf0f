import { Link } from '@tanstack/react-router'
import type { Node } from '../api/client.ts'
import { words } from '../i18n/en/dashboard.ts'
import { mebibytes, percent } from '../lib/format.ts'
import { Meter } from '../ui/meter.tsx'
import { State } from '../ui/state.tsx'

const w = words.dashboard
const few = 6 // nodes that are told by name; more become a map
const mapped = 240 // cells: more say nothing at a glance
const hot = [0.25, 0.5, 0.75, 0.9] // shares at which a cell gets the next darker tone

/** How much memory of each node was promised to VMs. */
export function NodesCard({ nodes: list }: { nodes: Node[] }) {
  if (list.length === 0) return null
  return (
    <section className="card">
      <h2>{w.nodes}</h2>
      {list.length <= few ? (
        <ul className="list">
          {list.map((n) => (
            <li key={n.id}>
              <Link to="/nodes/$id" params={{ id: n.id }}>
                {n.name}
              </Link>
              <State word={n.state} />
              <span className="whole">
                <Meter name={w.memory} part={n.memory_allocated_mib} whole={n.memory_mib} text={w.promised(mebibytes(n.memory_allocated_mib), mebibytes(n.memory_mib))} />
              </span>
            </li>
          ))}
        </ul>
      ) : (
        <>
          <p className="muted">{w.nodesMap}</p>
          <div className="heat">
            {list.slice(0, mapped).map((n) => (
              <Cell key={n.id} node={n} />
            ))}
          </div>
        </>
      )}
    </section>
  )
}

function Cell({ node: n }: { node: Node }) {
  const share = n.memory_mib > 0 ? n.memory_allocated_mib / n.memory_mib : 0
  const alive = n.state === 'alive'
  const label = alive
    ? w.nodeCell(n.name, percent(share), mebibytes(n.memory_allocated_mib), mebibytes(n.memory_mib))
    : w.nodeIs(n.name, n.state)
  return (
    <Link
      to="/nodes/$id"
      params={{ id: n.id }}
      preload={false}
      className={alive ? `heat-${hot.filter((h) => share >= h).length}` : 'heat-lost'}
      aria-label={label}
      title={label}
    />
  )
}
