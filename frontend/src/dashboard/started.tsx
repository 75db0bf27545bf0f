import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { Node } from '../api/client.ts'
import { images } from '../api/queries.ts'
import { words } from '../i18n/en/dashboard.ts'

const w = words.started

/** What is missing for a first VM, told by what is there. It goes by itself when there is one. */
export function GettingStarted({ nodes }: { nodes: Node[] | undefined }) {
  const pictures = useQuery(images())
  const steps: { done: boolean; label: string; to: '/nodes' | '/images/new' | '/vms/new' }[] = [
    ...(nodes ? [{ done: nodes.some((n) => n.state === 'alive'), label: w.node, to: '/nodes' as const }] : []),
    { done: pictures.data?.items.some((i) => i.state === 'ready') ?? false, label: w.image, to: '/images/new' },
    { done: false, label: w.vm, to: '/vms/new' },
  ]
  return (
    <section className="card">
      <h2>{w.title}</h2>
      <p className="muted">{w.progress(steps.filter((s) => s.done).length, steps.length)}</p>
      <ol className="steps">
        {steps.map((s) => (
          <li key={s.label} className={s.done ? 'done' : undefined}>
            {s.done ? s.label : <Link to={s.to}>{s.label}</Link>}
          </li>
        ))}
      </ol>
    </section>
  )
}
