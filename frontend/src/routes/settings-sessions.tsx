import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { api, type Schemas } from '../api/client.ts'
import { sessions } from '../api/queries.ts'
import { words } from '../i18n/en/settings.ts'
import { deviceOf } from '../lib/agent.ts'
import { Action } from '../ui/action.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Ready } from '../ui/page.tsx'
import { State } from '../ui/state.tsx'
import { Time } from '../ui/time.tsx'
import { toastDone, toastError } from '../ui/toast.tsx'
import { Loaded } from '../ui/views.tsx'

const w = words.sessions

export function Sessions() {
  const client = useQueryClient()
  const query = useQuery(sessions())
  const again = () => client.invalidateQueries({ queryKey: sessions().queryKey })
  const endOthers = useMutation({
    mutationFn: () => api.DELETE('/api/auth/sessions', { params: { query: { others: true } } }),
    onSuccess: () => toastDone(w.othersEnded),
    onError: toastError,
    onSettled: again,
  })
  const end = useMutation({
    mutationFn: (s: Schemas['Session']) => api.DELETE('/api/auth/sessions/{id}', { params: { path: { id: s.id } } }),
    onSuccess: (_, s) => toastDone(w.ended(deviceOf(s.agent) ?? w.unknown)),
    onError: toastError,
    onSettled: again,
  })
  return (
    <div className="stack">
      <p>{w.text}</p>
      <Loaded query={query}>
        {(list) => (
          <>
            <div>
              <Action
                label={w.others}
                className="danger"
                why={list.items.length > 1 ? undefined : w.alone}
                onAction={endOthers.mutate}
              />
            </div>
            <Table list={list.items} onEnd={end.mutate} />
            <Ready />
          </>
        )}
      </Loaded>
    </div>
  )
}

function Table({ list, onEnd }: { list: Schemas['Session'][]; onEnd: (s: Schemas['Session']) => void }) {
  const rows = [...list].sort((a, b) => Number(b.current) - Number(a.current) || b.seen_at.localeCompare(a.seen_at))
  return (
    <DataTable label={w.title} columns={[w.device, w.address, w.seen, w.since]} last={words.common.more}>
      {rows.map((s) => {
        const device = deviceOf(s.agent) ?? w.unknown
        return (
          <tr key={s.id}>
            <th scope="row" title={s.agent}>
              {device} {s.current ? <State word={w.here} tone="ok" /> : null}
            </th>
            <td className="mono">{s.address}</td>
            <td>
              <Time at={s.seen_at} />
            </td>
            <td>
              <Time at={s.created_at} />
            </td>
            <td className="end">
              {s.current ? null : (
                <button
                  type="button"
                  className="button"
                  aria-label={w.endNamed(device, s.address)}
                  onClick={() => onEnd(s)}
                >
                  {w.end}
                </button>
              )}
            </td>
          </tr>
        )
      })}
    </DataTable>
  )
}
