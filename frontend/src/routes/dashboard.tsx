import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { Node, Operation } from '../api/client.ts'
import { counted, nodes, operations, type VMCounts, vmCounts } from '../api/queries.ts'
import { useRights } from '../auth/rights.ts'
import { kindWords, words } from '../i18n/en.ts'
import { bytes, count, mebibytes } from '../lib/format.ts'
import { OperationView, SubjectLink } from '../operations/view.tsx'
import { PageHead, Ready } from '../ui/page.tsx'
import { State } from '../ui/state.tsx'
import { Time } from '../ui/time.tsx'
import { Empty, Loaded } from '../ui/views.tsx'

const w = words.dashboard

export function DashboardPage() {
  const { platform } = useRights()
  const counts = useQuery(vmCounts())
  const machines = useQuery({ ...nodes(), enabled: platform })
  const open = useQuery(operations({ status: 'open' }))
  const last = useQuery(operations({ limit: 8 }))
  const failed = useQuery(operations({ status: 'failed', limit: 5 }))
  return (
    <div className="dashboard">
      <PageHead title={w.title}>
        <Link to="/vms/new" className="button primary">
          {w.create}
        </Link>
      </PageHead>
      <div className="cards board">
        <section className="card">
          <h2>{w.vms}</h2>
          <Loaded query={counts}>{(c) => <Counts counts={c} />}</Loaded>
        </section>
        {platform ? (
          <section className="card">
            <h2>{w.capacity}</h2>
            <Loaded query={machines}>{(list) => <Capacity nodes={list.items} />}</Loaded>
          </section>
        ) : null}
        <section className="card">
          <h2>{w.attention}</h2>
          <Loaded query={counts}>
            {(c) => <Attention counts={c} nodes={machines.data?.items ?? []} failed={failed.data?.items ?? []} />}
          </Loaded>
        </section>
        <section className="card">
          <h2>{w.running}</h2>
          <Loaded query={open}>
            {(list) => {
              const running = list.items.filter((o) => !o.ended_at)
              if (running.length === 0) return <p className="muted">{w.noRunning}</p>
              return (
                <div className="stack">
                  {running.slice(0, 5).map((o) => (
                    <OperationView key={o.id} operation={o} />
                  ))}
                </div>
              )
            }}
          </Loaded>
        </section>
        <section className="card wide">
          <h2>{w.recent}</h2>
          <Loaded query={last}>{(list) => <Recent operations={list.items} />}</Loaded>
        </section>
      </div>
      {counts.data ? <Ready /> : null}
    </div>
  )
}

function Counts({ counts: c }: { counts: VMCounts }) {
  if (c.total === 0)
    return (
      <Empty text={w.firstVM}>
        <Link to="/vms/new" className="button">
          {w.create}
        </Link>
      </Empty>
    )
  return (
    <div className="numbers">
      <Link to="/vms">
        <b>{count(c.total)}</b>
        <span>{w.total}</span>
      </Link>
      {counted
        .filter((status) => c.by[status] > 0 || status === 'running' || status === 'stopped')
        .map((status) => (
          <Link key={status} to="/vms" search={{ status }}>
            <b>{count(c.by[status])}</b>
            <span>{status}</span>
          </Link>
        ))}
      {c.moving > 0 ? (
        <Link to="/vms" search={{ sort: 'status' }}>
          <b>{count(c.moving)}</b>
          <span>{w.moving}</span>
        </Link>
      ) : null}
    </div>
  )
}

function Capacity({ nodes: list }: { nodes: Node[] }) {
  if (list.length === 0) return <p className="muted">{w.noNodes}</p>
  const up = list.filter((n) => n.state === 'alive')
  const sum = (pick: (n: Node) => number) => up.reduce((all, n) => all + pick(n), 0)
  const disk = sum((n) => n.disk_total_bytes)
  return (
    <>
      <p className="lead">
        <Link to="/nodes">{w.nodesUp(up.length, list.length)}</Link>
      </p>
      <div className="meters">
        <Meter
          label={w.cpus}
          part={sum((n) => n.cpus_allocated)}
          whole={sum((n) => n.cpus)}
          show={count}
          say={w.allocated}
        />
        <Meter
          label={w.memory}
          part={sum((n) => n.memory_allocated_mib)}
          whole={sum((n) => n.memory_mib)}
          show={mebibytes}
          say={w.allocated}
        />
        <Meter label={w.disk} part={disk - sum((n) => n.disk_free_bytes)} whole={disk} show={bytes} say={w.used} />
      </div>
    </>
  )
}

type MeterProps = {
  label: string
  part: number
  whole: number
  show: (n: number) => string
  say: (part: string, whole: string) => string
}

function Meter({ label, part, whole, show, say }: MeterProps) {
  const over = part > whole
  return (
    <div className="meter">
      <div>
        <span>{label}</span>
        <span className="muted">{say(show(part), show(whole))}</span>
      </div>
      <progress
        className={over ? 'over' : undefined}
        value={Math.min(part, whole)}
        max={whole || 1}
        aria-label={`${label}: ${say(show(part), show(whole))}`}
      />
      {over ? <span className="muted">{w.over}</span> : null}
    </div>
  )
}

const day = 86_400_000 // ms: a failure of yesterday is history

function Attention({ counts, nodes: list, failed }: { counts: VMCounts; nodes: Node[]; failed: Operation[] }) {
  const bad = (['error', 'unknown'] as const).filter((s) => counts.by[s] > 0)
  const down = list.filter((n) => n.state === 'unreachable' || n.state === 'dead')
  const fresh = failed.filter((o) => Date.now() - Date.parse(o.updated_at) < day)
  if (bad.length + down.length + fresh.length === 0) return <p className="muted">{w.allGood}</p>
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
      {fresh.map((o) => (
        <li key={o.id}>
          <span>
            {w.failed(kindWords(o.kind))} <SubjectLink subject={o.subject} />
          </span>
          <Time at={o.updated_at} />
          {o.error ? <span className="why">{o.error.message}</span> : null}
        </li>
      ))}
    </ul>
  )
}

function Recent({ operations: list }: { operations: Operation[] }) {
  if (list.length === 0) return <p className="muted">{w.noRecent}</p>
  return (
    <ul className="list">
      {list.map((o) => (
        <li key={o.id}>
          <span>
            {kindWords(o.kind)} <SubjectLink subject={o.subject} />
          </span>
          <span className="row">
            <State word={o.status} of="operation" />
            <Time at={o.updated_at} />
          </span>
        </li>
      ))}
    </ul>
  )
}
