import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import type { Node } from '../api/client.ts'
import { sentence } from '../api/problem.ts'
import { node } from '../api/queries.ts'
import { CapacityCard } from '../dashboard/capacity.tsx'
import { words } from '../i18n/en/nodes.ts'
import { count } from '../lib/count.ts'
import { bytes, mebibytes } from '../lib/format.ts'
import { NodeActions } from '../nodes/actions.tsx'
import { showLabels } from '../nodes/labels.ts'
import { PageHead, Ready } from '../ui/page.tsx'
import { State } from '../ui/state.tsx'
import { Time } from '../ui/time.tsx'
import { Loaded } from '../ui/views.tsx'

const w = words.nodes

export function NodePage() {
  const { id } = useParams({ from: '/shell/nodes/$id' })
  const query = useQuery(node(id))
  return (
    <Loaded query={query} lines={6}>
      {(n) => (
        <>
          <PageHead title={n.name} beside={<State word={n.state} />}>
            <Link to="/vms" search={{ node: n.name }} className="button">
              {w.theVMs}
            </Link>
            <NodeActions node={n} />
          </PageHead>
          {n.cordoned ? <p className="alert warn">{w.cordoned}</p> : null}
          {n.state === 'alive' ? null : (
            <p className="alert warn">
              {n.state_reason ? sentence(new Error(n.state_reason)) : null} {w.stale}
            </p>
          )}
          <Facts node={n} />
          <Ready />
        </>
      )}
    </Loaded>
  )
}

function Facts({ node: n }: { node: Node }) {
  const alive = n.state === 'alive'
  const facts: [string, React.ReactNode][] = [
    [w.vms, count(n.vms)],
    // Of a machine that does not answer only this is known.
    [w.cpus, alive ? '' : w.allocatedOf(count(n.cpus_allocated), count(n.cpus))],
    [w.memory, alive ? '' : w.allocatedOf(mebibytes(n.memory_allocated_mib), mebibytes(n.memory_mib))],
    [w.disk, alive ? '' : w.usedOf(bytes(n.disk_total_bytes - n.disk_free_bytes), bytes(n.disk_total_bytes))],
    [w.accel, [n.accel, n.accel_reason].filter(Boolean).join(': ')],
    [w.model, n.cpu_model],
    [w.arch, n.arch],
    [w.hypervisor, n.hypervisor],
    [w.network, [n.network, n.network_note].filter(Boolean).join(': ')],
    [w.kernel, n.kernel],
    [w.agent, n.novacron],
    [w.labels, showLabels(n.labels).join(', ')],
    [w.seen, n.last_seen ? <Time key="seen" at={n.last_seen} /> : words.common.never],
  ]
  return (
    <div className="stack">
      {alive ? (
        <section className="card">
          <h2>{w.capacity}</h2>
          <CapacityCard nodes={[n]} />
        </section>
      ) : null}
      <section className="card">
        <h2>{w.machine}</h2>
        <dl className="facts">
          {facts
            .filter(([, value]) => value !== '')
            .map(([name, value]) => (
              <div key={name} className="contents">
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
        </dl>
      </section>
      {n.missing.length > 0 ? (
        <section className="card">
          <h2>{w.missing}</h2>
          <ul className="list">
            {n.missing.map((each) => (
              <li key={each}>{each}</li>
            ))}
          </ul>
        </section>
      ) : null}
    </div>
  )
}
