import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { api, body, type Node } from '../api/client.ts'
import { node } from '../api/queries.ts'
import { words } from '../i18n/en/nodes.ts'
import { count } from '../lib/count.ts'
import { bytes, mebibytes } from '../lib/format.ts'
import { PageHead, Ready } from '../ui/page.tsx'
import { State } from '../ui/state.tsx'
import { Time } from '../ui/time.tsx'
import { toastError } from '../ui/toast.tsx'
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
            <Cordon node={n} />
          </PageHead>
          {n.cordoned ? <p className="alert warn">{w.cordoned}</p> : null}
          {n.state_reason ? <p className="muted">{n.state_reason}</p> : null}
          {n.state === 'alive' ? null : <p className="muted">{w.stale}</p>}
          <Facts node={n} />
          <Ready />
        </>
      )}
    </Loaded>
  )
}

function Cordon({ node: n }: { node: Node }) {
  const client = useQueryClient()
  const change = useMutation({
    mutationFn: () =>
      body(
        api.PATCH('/api/v1/nodes/{id}', {
          params: {
            path: { id: n.id },
            header: { 'If-Match': `"${n.version}"` },
          },
          body: { cordoned: !n.cordoned },
        }),
      ),
    onSuccess: (now) => client.setQueryData(['nodes', 'one', n.id], now),
    onError: toastError,
  })
  return (
    <button
      type="button"
      className="button"
      aria-disabled={change.isPending}
      onClick={() => !change.isPending && change.mutate()}
    >
      {n.cordoned ? w.uncordon : w.cordon}
    </button>
  )
}

function Facts({ node: n }: { node: Node }) {
  const facts: [string, React.ReactNode][] = [
    [w.vms, count(n.vms)],
    [w.cpus, w.allocatedOf(count(n.cpus_allocated), count(n.cpus))],
    [w.memory, w.allocatedOf(mebibytes(n.memory_allocated_mib), mebibytes(n.memory_mib))],
    [w.disk, w.usedOf(bytes(n.disk_total_bytes - n.disk_free_bytes), bytes(n.disk_total_bytes))],
    [w.load, n.load1.toFixed(2)],
    [w.accel, [n.accel, n.accel_reason].filter(Boolean).join(': ')],
    [w.model, n.cpu_model],
    [w.arch, n.arch],
    [w.hypervisor, n.hypervisor],
    [w.network, [n.network, n.network_note].filter(Boolean).join(': ')],
    [w.kernel, n.kernel],
    [w.agent, n.novacron],
    [
      w.labels,
      Object.entries(n.labels ?? {})
        .map(([k, v]) => `${k}=${v}`)
        .join(', '),
    ],
    [w.seen, n.last_seen ? <Time key="seen" at={n.last_seen} /> : words.common.never],
  ]
  return (
    <div className="cards">
      <section className="card">
        <h2>{words.common.details}</h2>
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
