import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { Operation } from '../api/client.ts'
import { images, nodes, operations, tenants, vmCounts } from '../api/queries.ts'
import { useRights } from '../auth/rights.ts'
import { AttentionCard } from '../dashboard/attention.tsx'
import { CapacityCard } from '../dashboard/capacity.tsx'
import { NodesCard } from '../dashboard/nodes.tsx'
import { GettingStarted } from '../dashboard/started.tsx'
import { HealthStrip } from '../dashboard/strip.tsx'
import { words } from '../i18n/en/dashboard.ts'
import { kindWords } from '../i18n/en/shell.ts'
import { toneOf } from '../lib/state.ts'
import { OperationView, SubjectLink } from '../operations/view.tsx'
import { PageHead, Ready } from '../ui/page.tsx'
import { QuotaMeters } from '../tenants/quota.tsx'
import { Mark } from '../ui/state.tsx'
import { Time } from '../ui/time.tsx'
import { Loaded } from '../ui/views.tsx'

const w = words.dashboard

/** Is anything wrong, how full is it, what changes: in that order, from what the API says and nothing else. */
export function DashboardPage() {
  const { platform, vms: write } = useRights()
  const counts = useQuery(vmCounts())
  const machines = useQuery({ ...nodes(), enabled: platform })
  useQuery(images()) // tells names
  const open = useQuery(operations({ status: 'open' }))
  const last = useQuery(operations({ limit: 8 }))
  const failed = useQuery(operations({ status: 'failed', limit: 5 }))
  return (
    <div className="dashboard">
      <PageHead title={w.title}>
        {write ? (
          <Link to="/vms/new" className="button primary">
            {w.create}
          </Link>
        ) : null}
      </PageHead>
      <section className="card strip" aria-label={w.health}>
        <Loaded query={counts} lines={2}>
          {(c) => <HealthStrip counts={c} nodes={platform ? machines.data?.items : undefined} />}
        </Loaded>
      </section>
      <div className="board">
        <div className="side">
          {counts.data?.total === 0 && write ? <GettingStarted nodes={machines.data?.items} /> : null}
          <AttentionCard counts={counts} nodes={machines.data?.items ?? []} failed={[...stuckOf(last.data?.items ?? []), ...(failed.data?.items ?? [])]} />
          <section className="card">
            <h2>{w.running}</h2>
            <Loaded query={open} lines={1}>
              {(list) => <Running list={list.items.filter((o) => !o.ended_at)} />}
            </Loaded>
          </section>
          {platform ? <NodesCard nodes={machines.data?.items ?? []} /> : null}
        </div>
        <div className="side">
          {platform ? (
            <section className="card roomy">
              <h2 className="row">
                {w.capacity}
                <span className="grow" />
                <Link to="/nodes" className="plain">
                  {w.perNode}
                </Link>
              </h2>
              <Loaded query={machines} lines={5}>
                {(list) => <CapacityCard nodes={list.items} />}
              </Loaded>
            </section>
          ) : (
            <Quota />
          )}
          <section className="card">
            <h2 className="row">
              {w.recent}
              <span className="grow" />
              <Link to="/operations" className="plain">
                {words.operation.all}
              </Link>
            </h2>
            <Loaded query={last} lines={8}>
              {(list) => <Recent operations={list.items} />}
            </Loaded>
          </section>
        </div>
      </div>
      {counts.data ? <Ready /> : null}
    </div>
  )
}

/** Of the recent operations those that could not be taken back, until something is done to the same thing. */
function stuckOf(recent: Operation[]): Operation[] {
  return recent.filter((o, i) => o.status === 'stuck' && !recent.slice(0, i).some((later) => later.subject === o.subject))
}

function Running({ list }: { list: Operation[] }) {
  if (list.length === 0) return <p className="muted">{w.noRunning}</p>
  return (
    <div className="stack">
      {list.slice(0, 5).map((o) => (
        <OperationView key={o.id} operation={o} />
      ))}
      {list.length > 5 ? (
        <Link to="/operations" search={{ status: 'open' }}>
          {w.moreRunning(list.length - 5)}
        </Link>
      ) : null}
    </div>
  )
}

function Quota() {
  const query = useQuery(tenants())
  return (
    <section className="card">
      <h2>{words.dashboard.quota}</h2>
      <Loaded query={query} lines={3}>
        {(list) => (list.items[0] ? <QuotaMeters tenant={list.items[0]} /> : null)}
      </Loaded>
    </section>
  )
}

function Recent({ operations: list }: { operations: Operation[] }) {
  if (list.length === 0) return <p className="muted">{w.noRecent}</p>
  return (
    <ul className="list feed">
      {list.map((o) => (
        <li key={o.id}>
          <Mark tone={toneOf(o.status, 'operation')} word={o.status} />
          <span className="grow">
            {kindWords(o.kind)} <SubjectLink subject={o.subject} once={o.subject_name} /> <span className="muted">{words.activity.by(o.caller)}</span>
          </span>
          <span className="muted">
            <Time at={o.updated_at} />
          </span>
        </li>
      ))}
    </ul>
  )
}
