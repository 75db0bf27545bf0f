import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { images, operations, vmCounts } from '../api/queries.ts'
import { words } from '../i18n/en/shell.ts'
import { OperationView } from '../operations/view.tsx'
import { operationStatuses } from '../router.tsx'
import { PageHead, Ready } from '../ui/page.tsx'
import { Time } from '../ui/time.tsx'
import { Empty, Loaded } from '../ui/views.tsx'

const w = words.operation

export function OperationsPage() {
  const { status } = useSearch({ from: '/shell/operations' })
  const navigate = useNavigate({ from: '/operations' })
  const query = useQuery(operations({ status, limit: 100 }))
  useQuery(vmCounts()) // tells names
  useQuery(images())
  const choose = (value: string) =>
    void navigate({
      search: { status: operationStatuses.find((s) => s === value) },
      replace: true,
    })
  return (
    <>
      <PageHead title={w.title} />
      <div className="filters">
        <select
          className="input"
          aria-label={words.common.status}
          value={status ?? ''}
          onChange={(e) => choose(e.target.value)}
        >
          <option value="">{w.any}</option>
          {operationStatuses.map((s) => (
            <option key={s} value={s}>
              {s === 'open' ? w.open : s}
            </option>
          ))}
        </select>
        <span className="muted" role="status">
          {query.data ? w.list(query.data.total) : ''}
        </span>
      </div>
      <Loaded query={query}>
        {(list) => (
          <>
            {list.items.length === 0 ? (
              <Empty text={status ? w.noMatch : w.empty}>
                {status ? (
                  <Link to="/operations" className="button">
                    {words.common.clear}
                  </Link>
                ) : null}
              </Empty>
            ) : (
              <ul className="card list">
                {list.items.map((o) => (
                  <li key={o.id}>
                    <div className="grow">
                      <OperationView operation={o} />
                      <span className="muted">
                        {words.activity.by(o.caller)} · <Time at={o.created_at} />
                      </span>
                    </div>
                  </li>
                ))}
              </ul>
            )}
            <Ready />
          </>
        )}
      </Loaded>
    </>
  )
}
