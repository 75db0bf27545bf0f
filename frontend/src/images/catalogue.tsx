import { useQuery } from '@tanstack/react-query'
import type { Schemas } from '../api/client.ts'
import { catalogue } from '../api/queries.ts'
import { words } from '../i18n/en/images.ts'
import { ErrorView, Loaded } from '../ui/views.tsx'
import { useCreateImage } from './create.ts'

const w = words.images

/** What distributions publish, each with a button that lets the server fetch it. */
export function Catalogue({ onImport }: { onImport: () => void }) {
  const query = useQuery(catalogue())
  const create = useCreateImage(onImport)
  return (
    <div className="stack">
      {create.error ? <ErrorView error={create.error} /> : null}
      <Loaded query={query}>
        {(list) => (
          <ul className="card list">
            {list.items.map((e) => (
              <li key={e.name + e.arch}>
                <span>
                  {e.title} <span className="muted">{e.arch}</span>
                  <span className="why mono">{e.url}</span>
                </span>
                <button
                  type="button"
                  className="button"
                  aria-label={w.importNamed(`${e.title} ${e.arch}`)}
                  aria-disabled={create.isPending}
                  onClick={() =>
                    !create.isPending &&
                    create.mutate({
                      request: { name: e.name, catalogue: e.name, arch: e.arch as Schemas['CreateImage']['arch'] },
                    })
                  }
                >
                  {w.import}
                </button>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
    </div>
  )
}
