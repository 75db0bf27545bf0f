import { useQuery } from '@tanstack/react-query'
import { api, type Schemas } from '../api/client.ts'
import { userSessions } from '../api/queries.ts'
import type { User } from '../auth/session.ts'
import { words } from '../i18n/en/users.ts'
import { words as settings } from '../i18n/en/settings.ts'
import { deviceOf } from '../lib/agent.ts'
import { Action } from '../ui/action.tsx'
import { State } from '../ui/state.tsx'
import { Time } from '../ui/time.tsx'
import { toastDone, toastError } from '../ui/toast.tsx'
import { Loaded } from '../ui/views.tsx'
import { useOwn } from './change.tsx'
import { useChange } from './fields.tsx'

const w = words.users
const t = settings.sessions
type Session = Schemas['Session']

/** Where somebody is signed in, and an end to it. */
export function SessionsCard({ user: u, why }: { user: User; why: string | undefined }) {
  const query = useQuery(userSessions(u.id))
  const own = useOwn(u)
  const id = u.id
  const endAll = useChange(
    () => api.DELETE('/api/v1/users/{id}/sessions', { params: { path: { id } } }),
    () => toastDone(w.ended(u.username)),
  )
  const end = useChange(
    (s: Session) => api.DELETE('/api/v1/users/{id}/sessions/{session}', { params: { path: { id, session: s.id } } }),
    (_) => toastDone(w.ended(u.username)),
  )
  const onError = { onError: toastError }
  return (
    <section className="card stack">
      <h2 className="row">
        {w.sessions}
        <span className="grow" />
        <Action
          label={w.endAll}
          className="small danger"
          why={why ?? own ?? (query.data?.items.length === 0 ? w.signedInNowhere : undefined)}
          onAction={() => !endAll.isPending && endAll.mutate(undefined, onError)}
        />
      </h2>
      <Loaded query={query} lines={2}>
        {(list) =>
          list.items.length === 0 ? (
            <p className="muted">{w.signedInNowhere}</p>
          ) : (
            <ul className="list">
              {[...list.items]
                .sort((a, b) => b.seen_at.localeCompare(a.seen_at))
                .map((s) => (
                  <Item key={s.id} session={s} why={why} onEnd={() => end.mutate(s, onError)} />
                ))}
            </ul>
          )
        }
      </Loaded>
    </section>
  )
}

function Item({ session: s, why, onEnd }: { session: Session; why: string | undefined; onEnd: () => void }) {
  const device = deviceOf(s.agent) ?? t.unknown
  return (
    <li>
      <span>
        <span title={s.agent}>{device}</span> {s.current ? <State word={t.here} tone="ok" /> : null}
        <span className="why">
          <span className="mono">{s.address}</span> · {t.seen} <Time at={s.seen_at} />
        </span>
      </span>
      {s.current ? null : (
        <Action label={t.end} name={t.endNamed(device, s.address)} className="small" why={why} onAction={onEnd} />
      )}
    </li>
  )
}
