import { useQuery } from '@tanstack/react-query'
import { operations } from '../api/queries.ts'
import { words } from '../i18n/en/images.ts'
import { OperationView } from '../operations/view.tsx'
import { Time } from '../ui/time.tsx'

const w = words.images
const day = 86_400_000 // ms that a failure is news

/** Imports that came to nothing. Their images are gone from the list again, so the reason stands here. */
export function FailedImports() {
  const { data } = useQuery(operations({ kind: 'image.import', status: 'failed' }))
  const fresh = (data?.items ?? []).filter((o) => Date.now() - Date.parse(o.updated_at) < day)
  if (fresh.length === 0) return null
  return (
    <section className="card stack" aria-label={w.failed}>
      <h2>{w.failed}</h2>
      {fresh.map((o) => (
        <div key={o.id}>
          <OperationView operation={o} />
          <span className="muted">
            {words.activity.by(o.caller)} · <Time at={o.created_at} />
          </span>
        </div>
      ))}
    </section>
  )
}
