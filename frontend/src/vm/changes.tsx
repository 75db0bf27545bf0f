import { useInfiniteQuery } from '@tanstack/react-query'
import { vmChanges } from '../api/audit.ts'
import { Told } from '../audit/told.tsx'
import { words } from '../i18n/en/audit.ts'
import { State } from '../ui/state.tsx'
import { Time } from '../ui/time.tsx'
import { Loaded } from '../ui/views.tsx'

const w = words.audit

/** Who did what to a VM, each with what it was before and the request that did it. */
export function Changes({ vm }: { vm: string }) {
  const query = useInfiniteQuery(vmChanges(vm))
  return (
    <Loaded query={query}>
      {(data) => (
        <>
          <ul className="list">
            {data.pages
              .flatMap((page) => page.items)
              .map((c) => (
                <li key={c.id}>
                  <details className="whole">
                    <summary>
                      <span className="mono">{c.action}</span>{' '}
                      <span className="muted">
                        {words.activity.by(c.actor)} · <Time at={c.time} />
                      </span>{' '}
                      {c.result === 'ok' ? null : <State word={c.result} tone="danger" />}
                    </summary>
                    <Told detail={c.detail} facts={[{ name: w.request, value: c.request_id }]} />
                  </details>
                </li>
              ))}
          </ul>
          {query.hasNextPage ? (
            <button type="button" className="button" aria-disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
              {w.older}
            </button>
          ) : null}
        </>
      )}
    </Loaded>
  )
}
