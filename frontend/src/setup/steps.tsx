import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useEffect } from 'react'
import { api, body, type Node } from '../api/client.ts'
import { images, nodes, operation } from '../api/queries.ts'
import { words } from '../i18n/en/setup.ts'
import { Catalogue } from '../images/catalogue.tsx'
import { count } from '../lib/count.ts'
import { bytes, mebibytes } from '../lib/format.ts'
import { startLive } from '../live/socket.ts'
import { JoinCommand } from '../nodes/join.tsx'
import { OperationView } from '../operations/view.tsx'
import { type SetupStep, setupSteps } from '../router.tsx'
import { Brand } from '../ui/brand.tsx'
import { Field } from '../ui/field.tsx'
import { faultsOf } from '../ui/form.tsx'
import { Ready } from '../ui/page.tsx'
import { State } from '../ui/state.tsx'
import { ErrorView, Loaded } from '../ui/views.tsx'

const w = words.setup
const all = ['account', ...setupSteps] as const

type FrameProps = { step: (typeof all)[number]; title: string; intro: string; children: React.ReactNode }

export function SetupFrame({ step, title, intro, children }: FrameProps) {
  const now = all.indexOf(step)
  useEffect(() => {
    document.title = `${title} · ${words.product}`
  }, [title])
  return (
    <main className="gate">
      <div className="card stack setup">
        <Brand />
        <ol className="stepper" aria-label={w.steps}>
          {all.map((each, i) => (
            <li key={each} className={i < now ? 'done' : undefined} aria-current={i === now ? 'step' : undefined}>
              {w.step[each]}
            </li>
          ))}
        </ol>
        <h1>{title}</h1>
        <p className="muted">{intro}</p>
        {children}
      </div>
    </main>
  )
}

/** The steps behind the account. What others do meanwhile shows by itself, as everywhere. */
export function SetupSteps({ step }: { step: SetupStep }) {
  const client = useQueryClient()
  useEffect(() => startLive(client), [client])
  switch (step) {
    case 'nodes':
      return <Nodes />
    case 'image':
      return <Images />
    case 'vm':
      return <FirstVM />
    default:
      return step satisfies never
  }
}

function Onward({ to, label }: { to: SetupStep | 'dashboard'; label: string }) {
  return (
    <div className="row">
      {to === 'dashboard' ? (
        <Link to="/dashboard" className="button">
          {label}
        </Link>
      ) : (
        <Link to="/setup" search={{ step: to }} className="button primary">
          {label}
        </Link>
      )}
    </div>
  )
}

function Nodes() {
  const query = useQuery(nodes())
  return (
    <SetupFrame step="nodes" title={w.nodes} intro={w.nodesText}>
      <Loaded query={query}>
        {(list) => (
          <>
            {list.items.map((n) => (
              <Health key={n.id} node={n} />
            ))}
            {list.items.length === 0 ? <p>{w.noNode}</p> : null}
            <Ready />
          </>
        )}
      </Loaded>
      <h2>{w.more}</h2>
      <JoinCommand />
      <Onward to="image" label={w.next} />
    </SetupFrame>
  )
}

/** What a machine has and what it lacks, as it reports itself. */
function Health({ node: n }: { node: Node }) {
  const checks: { name: string; good: boolean; text: string }[] = [
    { name: words.nodes.accel, good: n.accel === 'kvm', text: n.accel },
    { name: words.nodes.cpus, good: n.cpus > 0, text: [count(n.cpus), n.cpu_model].filter(Boolean).join(', ') },
    { name: words.nodes.memory, good: n.memory_mib > 0, text: mebibytes(n.memory_mib) },
    { name: words.nodes.disk, good: n.disk_free_bytes > 0, text: w.free(bytes(n.disk_free_bytes)) },
    { name: words.nodes.network, good: n.network !== 'user', text: [n.network, n.network_note].filter(Boolean).join(': ') },
    ...n.missing.map((text) => ({ name: words.nodes.missing, good: false, text })),
  ]
  return (
    <section aria-label={n.name}>
      <h2 className="row">
        {n.name} <State word={n.state} />
      </h2>
      <ul className="list">
        {checks.map((c) => (
          <li key={c.name + c.text}>
            <span>{c.name}</span>
            <span className="row">
              {c.text} <State word={c.good ? w.good : w.look} tone={c.good ? 'ok' : 'warn'} />
            </span>
          </li>
        ))}
      </ul>
    </section>
  )
}

function Images() {
  const query = useQuery(images())
  return (
    <SetupFrame step="image" title={w.image} intro={w.imageText}>
      <Loaded query={query}>
        {(list) => (
          <>
            {list.items.length > 0 ? (
              <ul className="list" aria-label={words.images.title}>
                {list.items.map((i) => (
                  <li key={i.id}>
                    <span>
                      {i.name} <span className="muted">{[i.os, i.arch].filter(Boolean).join(', ')}</span>
                      {i.state_reason ? <span className="why">{i.state_reason}</span> : null}
                    </span>
                    <State word={i.state} />
                  </li>
                ))}
              </ul>
            ) : null}
            <Ready />
          </>
        )}
      </Loaded>
      <details>
        <summary>{w.catalogue}</summary>
        <Catalogue onImport={() => undefined} />
      </details>
      <Onward to="vm" label={w.next} />
    </SetupFrame>
  )
}

const first = { cpus: 1, memory_mib: 512 } // enough for every image of the catalogue to boot

function FirstVM() {
  const query = useQuery(images())
  const navigate = useNavigate()
  const create = useMutation({
    mutationFn: (form: FormData) => {
      const image = query.data?.items.find((i) => i.id === form.get('image'))
      const memory_mib = Math.max(first.memory_mib, image?.min_memory_mib ?? 0)
      return body(
        api.POST('/api/v1/vms', {
          body: { ...first, memory_mib, name: String(form.get('name')), ...(image ? { image: image.id } : {}) },
        }),
      )
    },
  })
  const made = create.data
  const { data: running } = useQuery({ ...operation(made?.operation?.id ?? ''), enabled: Boolean(made?.operation) })
  const { at, whole } = faultsOf(create.error, ['name', 'image'])
  const submit = (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (!create.isPending) create.mutate(new FormData(event.currentTarget))
  }
  if (made)
    return (
      <SetupFrame step="vm" title={w.vm} intro={w.vmMade(made.name)}>
        {running ? <OperationView operation={running} steps /> : null}
        <div className="row">
          <button type="button" className="button primary" onClick={() => void navigate({ to: '/vms/$id', params: { id: made.id } })}>
            {w.open(made.name)}
          </button>
          <Onward to="dashboard" label={words.errors.toDashboard} />
        </div>
      </SetupFrame>
    )
  const ready = query.data?.items.filter((i) => i.state === 'ready') ?? []
  return (
    <SetupFrame step="vm" title={w.vm} intro={w.vmText}>
      {whole ? <ErrorView error={whole} /> : null}
      <form className="stack" onSubmit={submit}>
        <Field label={words.common.name} hint={words.create.nameHint} fault={at.name}>
          {(c) => <input {...c} name="name" defaultValue="first" autoComplete="off" spellCheck={false} required maxLength={63} />}
        </Field>
        <Field label={words.create.image} fault={at.image}>
          {(c) => (
            <select {...c} name="image" required>
              {ready.map((i) => (
                <option key={i.id} value={i.id}>
                  {i.name}
                </option>
              ))}
            </select>
          )}
        </Field>
        <div className="row">
          <button type="submit" className="button primary" aria-disabled={create.isPending}>
            {words.vms.create}
          </button>
          <Onward to="dashboard" label={w.later} />
        </div>
      </form>
      {query.data ? <Ready /> : null}
    </SetupFrame>
  )
}
