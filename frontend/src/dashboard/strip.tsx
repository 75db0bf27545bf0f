import { Link } from '@tanstack/react-router'
import type { Node } from '../api/client.ts'
import { counted, type VMCounts } from '../api/queries.ts'
import { words } from '../i18n/en/dashboard.ts'
import { count } from '../lib/count.ts'
import { type Tone, toneOf } from '../lib/state.ts'
import { Mark } from '../ui/state.tsx'

const w = words.dashboard

/** How many of what, each a way to exactly those. */
export function HealthStrip({ counts: c, nodes }: { counts: VMCounts; nodes: Node[] | undefined }) {
  const up = nodes?.filter((n) => n.state === 'alive').length ?? 0
  const shown = counted.filter((status) => c.by[status] > 0 || status === 'running' || status === 'stopped')
  return (
    <>
      <div className="numbers">
        {nodes ? (
          <Link to="/nodes">
            <b>
              {count(up)}
              <i> / {count(nodes.length)}</i>
            </b>
            <span>
              <Mark tone={nodes.length === 0 ? 'idle' : up === nodes.length ? 'ok' : 'danger'} /> {w.nodesAre}
            </span>
          </Link>
        ) : null}
        <Link to="/vms">
          <b>{count(c.total)}</b>
          <span>{w.total}</span>
        </Link>
        {shown.map((status) => (
          <Link key={status} to="/vms" search={{ status }}>
            <b>{count(c.by[status])}</b>
            <span>
              <Mark tone={toneOf(status)} /> {status}
            </span>
          </Link>
        ))}
        {c.moving > 0 ? (
          <Link to="/vms" search={{ sort: 'status' }}>
            <b>{count(c.moving)}</b>
            <span>
              <Mark tone="busy" /> {w.moving}
            </span>
          </Link>
        ) : null}
      </div>
      <Shares counts={c} />
    </>
  )
}

/** The same numbers as lengths: a picture for those who see it, nothing for those who hear the numbers. */
function Shares({ counts: c }: { counts: VMCounts }) {
  if (c.total === 0) return null
  const parts: [string, Tone, number][] = [
    ...counted.map((status): [string, Tone, number] => [status, toneOf(status), c.by[status]]),
    ['moving', 'busy', c.moving],
  ]
  return (
    <div className="shares" aria-hidden="true">
      {parts
        .filter(([, , n]) => n > 0)
        .map(([name, tone, n]) => (
          <span key={name} className={tone} style={{ flexGrow: n }} />
        ))}
    </div>
  )
}
