import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import type { Event } from '../api/client.ts'
import { before, users } from '../api/queries.ts'
import { useRights } from '../auth/rights.ts'
import { words } from '../i18n/en/events.ts'
import { kindWords } from '../i18n/en/shell.ts'
import { absolute, timeOfDay } from '../lib/format.ts'
import { useStore } from '../lib/store.ts'
import { recent } from '../live/socket.ts'
import { SubjectLink } from '../operations/view.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { PageHead, Ready } from '../ui/page.tsx'
import { Empty } from '../ui/views.tsx'
import { tell } from './vm-activity.tsx'

const w = words.events
const kinds = ['vm', 'operation', 'node', 'image'] as const
const shown = 300 // rows; older ones are in the activity of each VM

/** What an event is about: that of an operation is about what it acts on. */
function aboutOf(e: Event): { what: string; subject: string } {
  const data = (typeof e.data === 'object' && e.data !== null ? e.data : {}) as Record<string, unknown>
  const { kind, subject } = data
  if (!e.type.startsWith('operation.') || typeof kind !== 'string' || typeof subject !== 'string') return { what: '', subject: e.subject }
  return { what: kindWords(kind), subject }
}

export function EventsPage() {
  const { accounts } = useRights()
  useQuery({ ...users(), enabled: accounts }) // tells their names
  const { kind } = useSearch({ from: '/shell/events' })
  const navigate = useNavigate({ from: '/events' })
  const fresh = useStore(recent)
  const { data: old } = useQuery(before())
  const live = useMemo(() => {
    const known = new Set(fresh.map((e) => e.id))
    return [...fresh, ...(old ?? []).filter((e) => !known.has(e.id))]
  }, [fresh, old])
  const [held, setHeld] = useState<typeof live>()
  const matching = (held ?? live).filter((e) => !kind || e.type.startsWith(`${kind}.`))
  const list = matching.slice(0, shown)
  return (
    <>
      <PageHead title={w.title}>
        <button
          type="button"
          className="button"
          aria-pressed={Boolean(held)}
          onClick={() => setHeld(held ? undefined : live)}
        >
          {held ? w.go : w.pause}
        </button>
      </PageHead>
      <div className="filters">
        <select
          className="input"
          aria-label={w.filter}
          value={kind ?? ''}
          onChange={(e) =>
            void navigate({
              search: { kind: e.target.value || undefined },
              replace: true,
            })
          }
        >
          <option value="">{w.any}</option>
          {kinds.map((k) => (
            <option key={k}>{k}</option>
          ))}
        </select>
        {held && live.length > held.length ? (
          <button type="button" className="button" onClick={() => setHeld(live)}>
            {w.waiting(live.length - held.length)}
          </button>
        ) : null}
        <span className="muted">{w.live}</span>
      </div>
      {list.length === 0 ? (
        <Empty text={w.empty} />
      ) : (
        <DataTable label={w.title} columns={[w.when, w.what, w.on, words.common.details]}>
          {list.map((e) => (
            <tr key={e.id}>
              <td className="nowrap" title={absolute(Date.parse(e.time))}>
                {timeOfDay(Date.parse(e.time))}
              </td>
              <td className="mono">{e.type}</td>
              <td>
                <SubjectLink subject={aboutOf(e).subject} />
              </td>
              <td>{[aboutOf(e).what, tell(e)].filter(Boolean).join(' · ')}</td>
            </tr>
          ))}
        </DataTable>
      )}
      <Ready />
    </>
  )
}
