import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import type { Event } from '../api/client.ts'
import { history, operations } from '../api/queries.ts'
import { useRights } from '../auth/rights.ts'
import { words } from '../i18n/en/shell.ts'
import { OperationView } from '../operations/view.tsx'
import { Ready } from '../ui/page.tsx'
import { Time } from '../ui/time.tsx'
import { Loaded } from '../ui/views.tsx'
import { Changes } from '../vm/changes.tsx'

const w = words.activity

export function VMActivity() {
  const { id } = useParams({ from: '/shell/vms/$id/activity' })
  const done = useQuery(operations({ subject: `vm/${id}` }))
  const events = useQuery(history(`vm/${id}`))
  const { audit } = useRights()
  return (
    <div className="cards">
      <section className="card">
        <h2>{w.operations}</h2>
        <Loaded query={done}>
          {(list) => (
            <div className="stack">
              {list.items.length === 0 ? <p className="muted">{w.empty}</p> : null}
              {list.items.map((o) => (
                <div key={o.id}>
                  <OperationView operation={o} />
                  <span className="muted">
                    {w.by(o.caller)} · <Time at={o.created_at} />
                  </span>
                </div>
              ))}
              <Ready />
            </div>
          )}
        </Loaded>
      </section>
      <section className="card">
        <h2 className="row">
          {w.changes}
          <span className="grow" />
          {audit ? (
            <Link to="/admin/audit" search={{ subject: `vm/${id}` }} className="plain">
              {w.audit}
            </Link>
          ) : null}
        </h2>
        <Changes vm={id} />
      </section>
      <section className="card">
        <h2>{w.events}</h2>
        <Loaded query={events}>
          {(list) => (
            <ul className="list">
              {list.items.toReversed().map((e) => (
                <li key={e.id}>
                  <span>
                    {e.type} <span className="muted">{tell(e)}</span>
                  </span>
                  <Time at={e.time} />
                </li>
              ))}
            </ul>
          )}
        </Loaded>
      </section>
    </div>
  )
}

/** The words of an event that people can read; the rest is for programs. */
export function tell(e: Event): string {
  const data = (typeof e.data === 'object' && e.data !== null ? e.data : {}) as Record<string, unknown>
  const parts = [
    data.name,
    data.previous && data.status && data.previous !== data.status ? `${data.previous} → ${data.status}` : data.status,
    data.state,
    data.sentence,
    data.reason,
    data.by && `by ${data.by}`,
  ]
  return parts.filter((p) => typeof p === 'string' && p).join(' · ')
}
