import { useQuery } from '@tanstack/react-query'
import { Link, Outlet, useParams } from '@tanstack/react-router'
import { Problem } from '../api/problem.ts'
import { operation, vm } from '../api/queries.ts'
import { words } from '../i18n/en/vm.ts'
import { OperationView } from '../operations/view.tsx'
import { PageHead } from '../ui/page.tsx'
import { State } from '../ui/state.tsx'
import { Empty, Loaded } from '../ui/views.tsx'
import { VMActions } from '../vm/actions.tsx'

const w = words.vm

export function VMPage() {
  const { id } = useParams({ from: '/shell/vms/$id' })
  const query = useQuery(vm(id))
  // Set by live events; the API no longer knows such a VM.
  const subject = `vm/${query.data?.id ?? id}`
  const gone = useQuery({ queryKey: ['gone', subject], queryFn: () => false, enabled: false, initialData: false })
  if (gone.data) return <Gone />
  if (query.error instanceof Problem && query.error.status === 404) return <Gone />
  return (
    <Loaded query={query} lines={6}>
      {(v) => (
        <>
          <PageHead title={v.name} beside={<State word={v.status} />}>
            <VMActions vm={v} />
          </PageHead>
          {v.status_reason ? <p className={v.status === 'error' ? 'alert' : 'muted'}>{v.status_reason}</p> : null}
          {v.operation_id ? <Banner id={v.operation_id} /> : null}
          {v.restart_required.length > 0 ? (
            <div className="alert warn">
              <strong>{w.restartRequired}</strong>
              <ul>
                {v.restart_required.map((each) => (
                  <li key={each}>{each}</li>
                ))}
              </ul>
            </div>
          ) : null}
          <nav className="tabs" aria-label={w.tabs}>
            <Link
              to="/vms/$id"
              params={{ id }}
              activeOptions={{ exact: true, includeSearch: false }}
              activeProps={{ 'aria-current': 'page' }}
            >
              {w.overview}
            </Link>
            <Link
              to="/vms/$id/console"
              params={{ id }}
              activeOptions={{ includeSearch: false }}
              activeProps={{ 'aria-current': 'page' }}
            >
              {w.console}
            </Link>
            <Link to="/vms/$id/snapshots" params={{ id }} activeProps={{ 'aria-current': 'page' }}>
              {w.snapshots}
            </Link>
            <Link to="/vms/$id/activity" params={{ id }} activeProps={{ 'aria-current': 'page' }}>
              {w.activity}
            </Link>
          </nav>
          <Outlet />
        </>
      )}
    </Loaded>
  )
}

function Banner({ id }: { id: string }) {
  const { data } = useQuery(operation(id))
  if (!data || data.ended_at) return null
  return (
    <div className="card">
      <OperationView operation={data} steps />
    </div>
  )
}

function Gone() {
  return (
    <>
      <PageHead title={w.gone} />
      <Empty text={w.goneText}>
        <Link to="/vms" className="button">
          {w.toList}
        </Link>
      </Empty>
    </>
  )
}
