import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { api, body, type Operation } from '../api/client.ts'
import { useRights } from '../auth/rights.ts'
import { kindWords, words } from '../i18n/en/shell.ts'
import { useNow } from '../lib/clock.ts'
import { duration, percent } from '../lib/format.ts'
import { names } from '../lib/names.ts'
import { useStore } from '../lib/store.ts'
import { Action } from '../ui/action.tsx'
import { State } from '../ui/state.tsx'
import { toastError } from '../ui/toast.tsx'

const w = words.operation

export const ended = (o: Operation) => Boolean(o.ended_at)

/** What an operation does now, in the server's own words: the step, how far it is, and a way to cancel it. */
export function OperationView({ operation: o, steps = false }: { operation: Operation; steps?: boolean }) {
  return (
    <section className="operation" aria-label={kindWords(o.kind)}>
      <div className="row">
        <strong>{kindWords(o.kind)}</strong>
        <SubjectLink subject={o.subject} once={o.subject_name} />
        <State word={o.status} of="operation" />
        <span className="grow" />
        <Elapsed operation={o} />
        {ended(o) ? null : <Cancel operation={o} />}
        {o.status === 'stuck' ? <Retry operation={o} /> : null}
      </div>
      {ended(o) ? null : (
        <>
          <p>
            {o.sentence || o.steps[o.step]} <span className="muted">{percent(o.progress)}</span>
          </p>
          <progress value={o.progress} max={1} aria-label={`${kindWords(o.kind)}: ${o.sentence}`} />
        </>
      )}
      {o.error ? <p className="alert">{o.error.message}</p> : null}
      {steps && o.steps.length > 1 ? <Steps operation={o} /> : null}
    </section>
  )
}

function Steps({ operation: o }: { operation: Operation }) {
  const done = o.status === 'succeeded' ? o.steps.length : o.step
  return (
    <ol className="steps" aria-label={w.steps}>
      {o.steps.map((step, i) => (
        <li
          key={step}
          className={i < done ? 'done' : i === done && !ended(o) ? 'now' : undefined}
          aria-current={i === done && !ended(o) ? 'step' : undefined}
        >
          {step}
        </li>
      ))}
    </ol>
  )
}

function Elapsed({ operation: o }: { operation: Operation }) {
  const now = useNow()
  const begun = Date.parse(o.created_at)
  return (
    <span className="muted nowrap">
      {o.ended_at ? w.took(duration(Date.parse(o.ended_at) - begun)) : w.elapsed(duration(now - begun))}
    </span>
  )
}

/** Why somebody may not change what an operation does. */
const useRefusal = () => (useRights().operations ? undefined : words.common.forbidden('operation.write'))

function Cancel({ operation: o }: { operation: Operation }) {
  const refused = useRefusal()
  const cancel = useMutation({
    mutationFn: () =>
      body(
        api.DELETE('/api/v1/operations/{id}', {
          params: { path: { id: o.id } },
        }),
      ),
    onError: toastError,
  })
  const asked = o.cancel_requested || cancel.isPending || cancel.isSuccess
  return (
    <Action
      label={asked ? w.cancelling : w.cancel}
      why={asked ? w.cancelling : refused}
      onAction={() => cancel.mutate()}
    />
  )
}

/** Takes back what a stuck operation left; the operation that does it comes with its events. */
function Retry({ operation: o }: { operation: Operation }) {
  const refused = useRefusal()
  const retry = useMutation({
    mutationFn: () =>
      body(
        api.POST('/api/v1/operations/{id}/retry', {
          params: { path: { id: o.id } },
        }),
      ),
    onError: toastError,
  })
  if (retry.isSuccess) return null
  const running = retry.isPending ? w.retrying : undefined
  return <Action label={running ?? w.retry} why={running ?? refused} onAction={() => retry.mutate()} />
}

/** A way to what an operation or an event is about, where it has a page; once is the name that it had then. */
export function SubjectLink({ subject, once }: { subject: string; once?: string }) {
  const [kind, id = ''] = subject.split('/', 2)
  const name = useStore(names).get(subject) || once || undefined
  if (kind === 'vm')
    return (
      <Link to="/vms/$id" params={{ id }} title={subject} className={name ? undefined : 'mono'}>
        {name ?? id}
      </Link>
    )
  if (kind === 'node')
    return (
      <Link to="/nodes/$id" params={{ id }} title={subject} className={name ? undefined : 'mono'}>
        {name ?? id}
      </Link>
    )
  return (
    <span className={name ? 'muted' : 'mono muted'} title={subject}>
      {name ?? subject}
    </span>
  )
}
