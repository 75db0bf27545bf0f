import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { api, body, type Image, randomKey, type Schemas } from '../api/client.ts'
import { Problem, sentence } from '../api/problem.ts'
import { images, networks, nodes, operation } from '../api/queries.ts'
import { useRights } from '../auth/rights.ts'
import { words } from '../i18n/en/vms.ts'
import { gibibytes, mebibytes, parseMebibytes } from '../lib/format.ts'
import { Check, Field } from '../ui/field.tsx'
import { NotYours } from '../ui/make.tsx'
import { PageHead, Ready } from '../ui/page.tsx'
import { ErrorView } from '../ui/views.tsx'
import { type Machine, MachineFields, machineOf, plain } from '../vm/machine.tsx'
import { Placement } from '../vm/placement.tsx'

const w = words.create

type Draft = {
  name: string
  image: string
  cpus: string
  memory: string
  disk: string
  networks: string[] | null
  keys: string
  userData: string
  start: boolean
  protect: boolean
  node: string
  machine: Machine
}

const presets = [
  { label: w.small, cpus: 1, memory: 512 },
  { label: w.medium, cpus: 2, memory: 2048 },
  { label: w.large, cpus: 4, memory: 8192 },
]

/** The request out of what was typed, or what is wrong by field. */
export function requestOf(d: Draft): { request: Schemas['CreateVM'] } | { faults: Record<string, string> } {
  const faults: Record<string, string> = {}
  const cpus = Number(d.cpus)
  const memory = parseMebibytes(d.memory)
  const disk = d.disk.trim() === '' ? 0 : Number(d.disk)
  if (!Number.isInteger(cpus) || cpus < 1) faults.cpus = words.amount.badNumber
  if (memory === null || memory < 1) faults.memory_mib = words.amount.badMemory
  if (!Number.isInteger(disk) || disk < 0) faults.disk_gib = words.amount.badNumber
  if (Object.keys(faults).length > 0 || memory === null) return { faults }
  const keys = d.keys
    .split('\n')
    .map((k) => k.trim())
    .filter(Boolean)
  return {
    request: {
      name: d.name.trim(),
      cpus,
      memory_mib: memory,
      start: d.start,
      ...(d.image ? { image: d.image } : {}),
      ...(disk ? { disk_gib: disk } : {}),
      ...(d.networks ? { networks: d.networks } : {}),
      ...(keys.length ? { ssh_keys: keys } : {}),
      ...(d.userData.trim() ? { user_data: d.userData } : {}),
      ...(d.protect ? { protected: true } : {}),
      ...(d.node ? { node: d.node } : {}),
      ...machineOf(d.machine),
    },
  }
}

export function NewVMPage() {
  const wanted = useSearch({ from: '/shell/vms/new' })
  const { platform, place, vms: write, known } = useRights()
  const pictures = useQuery(images())
  const wires = useQuery(networks())
  const machines = useQuery({ ...nodes(), enabled: platform })
  const ready = (pictures.data?.items ?? []).filter((i) => i.state === 'ready')
  const [draft, setDraft] = useState<Draft>({
    name: '',
    image: wanted.image ?? '',
    cpus: '1',
    memory: '512 MiB',
    disk: '',
    networks: null,
    keys: '',
    userData: '',
    start: true,
    protect: false,
    node: '',
    machine: plain,
  })
  const [touched, setTouched] = useState(false)
  // The first image that is there is chosen until somebody chooses.
  const image = draft.image || (touched ? '' : (ready[0]?.id ?? ''))
  const set = (change: Partial<Draft>) => {
    if (change.image !== undefined) setTouched(true)
    setDraft((d) => ({ ...d, ...change }))
  }
  const form = useRef<HTMLFormElement>(null)
  const { faults, rest, pending, submit } = useCreate(form)
  const chosen = ready.find((i) => i.id === image)
  const onSubmit = (event: React.FormEvent) => {
    event.preventDefault()
    submit({ ...draft, image })
  }
  const read = requestOf({ ...draft, image })
  const summary = `${draft.cpus} ${w.cpus}, ${draft.memory}`
  if (known && !write)
    return (
      <>
        <PageHead title={w.title} />
        <NotYours why={words.common.forbidden('vm.write')} />
      </>
    )
  return (
    <>
      <PageHead title={w.title} />
      <form ref={form} className="form" onSubmit={onSubmit} noValidate>
        <div className="stack">
          {rest ? <ErrorView error={rest} /> : null}
          <section className="card">
            <h2>{w.what}</h2>
            <Field label={words.common.name} hint={w.nameHint} fault={faults.name}>
              {(c) => (
                <input
                  {...c}
                  name="name"
                  autoComplete="off"
                  spellCheck={false}
                  maxLength={63}
                  value={draft.name}
                  onChange={(e) => set({ name: e.target.value })}
                />
              )}
            </Field>
            <Field label={w.image} hint={chosen ? hintOf(chosen) : undefined} fault={faults.image}>
              {(c) => (
                <select {...c} name="image" value={image} onChange={(e) => set({ image: e.target.value })}>
                  {ready.map((i) => (
                    <option key={i.id} value={i.id}>
                      {i.name} ({[i.os, i.arch].filter(Boolean).join(', ')})
                    </option>
                  ))}
                  <option value="">{w.noImage}</option>
                </select>
              )}
            </Field>
          </section>
          <section className="card">
            <h2>{w.size}</h2>
            <fieldset className="row" aria-label={w.presets}>
              {presets.map((p) => {
                const on = draft.cpus === String(p.cpus) && parseMebibytes(draft.memory) === p.memory
                return (
                  <button
                    key={p.label}
                    type="button"
                    className="button"
                    aria-pressed={on}
                    onClick={() => set({ cpus: String(p.cpus), memory: mebibytes(p.memory) })}
                  >
                    {p.label}: {p.cpus} {w.cpus}, {mebibytes(p.memory)}
                  </button>
                )
              })}
            </fieldset>
            <div className="columns">
              <Field label={w.cpus} fault={faults.cpus}>
                {(c) => (
                  <input
                    {...c}
                    name="cpus"
                    inputMode="numeric"
                    value={draft.cpus}
                    onChange={(e) => set({ cpus: e.target.value })}
                  />
                )}
              </Field>
              <Field label={w.memory} hint={words.amount.memoryHint} fault={faults.memory_mib}>
                {(c) => (
                  <input {...c} name="memory" value={draft.memory} onChange={(e) => set({ memory: e.target.value })} />
                )}
              </Field>
              <Field label={w.disk} hint={w.diskHint} fault={faults.disk_gib}>
                {(c) => (
                  <input
                    {...c}
                    name="disk"
                    inputMode="numeric"
                    value={draft.disk}
                    onChange={(e) => set({ disk: e.target.value })}
                  />
                )}
              </Field>
            </div>
          </section>
          <section className="card">
            <h2>{w.network}</h2>
            <Networks
              list={wires.data?.items ?? []}
              chosen={draft.networks}
              choose={(list) => set({ networks: list })}
            />
          </section>
          <section className="card">
            <h2>{w.access}</h2>
            <Field label={w.keys} hint={w.keysHint} fault={faults.ssh_keys}>
              {(c) => (
                <textarea
                  {...c}
                  name="keys"
                  rows={3}
                  spellCheck={false}
                  value={draft.keys}
                  onChange={(e) => set({ keys: e.target.value })}
                />
              )}
            </Field>
            <Field label={w.userData} hint={w.userDataHint} fault={faults.user_data}>
              {(c) => (
                <textarea
                  {...c}
                  name="user_data"
                  rows={4}
                  spellCheck={false}
                  value={draft.userData}
                  onChange={(e) => set({ userData: e.target.value })}
                />
              )}
            </Field>
          </section>
          <section className="card">
            <h2>{w.options}</h2>
            <Check label={w.start} checked={draft.start} onChange={(e) => set({ start: e.target.checked })} />
            <Check label={w.protect} checked={draft.protect} onChange={(e) => set({ protect: e.target.checked })} />
            {platform && place ? (
              <Field label={w.place} fault={faults.node}>
                {(c) => (
                  <select {...c} value={draft.node} onChange={(e) => set({ node: e.target.value })}>
                    <option value="">{w.anyNode}</option>
                    {(machines.data?.items ?? []).map((n) => (
                      <option key={n.id} value={n.id}>
                        {n.name}
                      </option>
                    ))}
                  </select>
                )}
              </Field>
            ) : null}
          </section>
          <details className="card" open={faults.firmware || faults.cdrom || faults.description ? true : undefined}>
            <summary>{w.machine}</summary>
            <div className="stack">
              <MachineFields
                machine={draft.machine}
                set={(change) => set({ machine: { ...draft.machine, ...change } })}
                faults={faults}
                image={chosen}
                discs={ready.filter((i) => i.format === 'iso')}
              />
            </div>
          </details>
        </div>
        <aside className="card">
          <h2>{w.summary}</h2>
          <p>
            <strong>{draft.name || '…'}</strong>
            <br />
            {chosen?.name ?? w.noImage}
            <br />
            {summary}
          </p>
          <button type="submit" className="button primary" aria-disabled={pending}>
            {w.submit}
          </button>
          {place ? (
            <section>
              <h3>{w.where}</h3>
              <Placement request={'request' in read ? read.request : undefined} />
            </section>
          ) : null}
        </aside>
      </form>
      <Ready />
    </>
  )
}

function hintOf(i: Image): string | undefined {
  return i.min_memory_mib || i.min_disk_gib
    ? w.needs(i.name, mebibytes(i.min_memory_mib), gibibytes(i.min_disk_gib))
    : undefined
}

function Networks({
  list,
  chosen,
  choose,
}: {
  list: Schemas['Network'][]
  chosen: string[] | null
  choose: (list: string[]) => void
}) {
  if (list.length === 0) return <p className="muted">{w.noNetwork}</p>
  // Without a choice the server takes the default network.
  const on = chosen ?? list.filter((n) => n.name === 'default').map((n) => n.id)
  return (
    <fieldset className="stack" aria-label={w.networks}>
      {list.map((n) => (
        <Check
          key={n.id}
          label={`${n.name} (${n.subnet})`}
          checked={on.includes(n.id)}
          onChange={(e) => choose(e.target.checked ? [...on, n.id] : on.filter((id) => id !== n.id))}
        />
      ))}
    </fieldset>
  )
}

/** Sends the request once, shows what the server refuses at the field it names, and goes to the new VM. */
function useCreate(form: React.RefObject<HTMLFormElement | null>) {
  const navigate = useNavigate()
  const client = useQueryClient()
  const [faults, setFaults] = useState<Record<string, string>>({})
  // The same key for the same form: a second press, or a try after a lost answer, makes no second VM.
  const key = useRef({ of: '', value: '' })
  const create = useMutation({
    mutationFn: (request: Schemas['CreateVM']) => {
      const of = JSON.stringify(request)
      if (key.current.of !== of) key.current = { of, value: randomKey() }
      return body(
        api.POST('/api/v1/vms', {
          body: request,
          headers: { 'Idempotency-Key': key.current.value },
        }),
      )
    },
    onSuccess: async (made) => {
      const { operation: making, ...vm } = made
      // There from the first moment, with the steps, and read again at once: events may have come before this answer.
      const old = { updatedAt: 1 }
      client.setQueryData(['vms', 'one', vm.id], vm, old)
      if (making) client.setQueryData(operation(making.id).queryKey, making, old)
      await navigate({ to: '/vms/$id', params: { id: vm.id } })
    },
    onError: (error) => {
      key.current.of = ''
      setFaults(faultsOf(error))
    },
  })
  // The first field at fault is where to go on.
  useEffect(() => {
    if (Object.keys(faults).length > 0) form.current?.querySelector<HTMLElement>('[aria-invalid]')?.focus()
  }, [faults, form])
  const submit = (draft: Draft) => {
    if (create.isPending) return
    const read = requestOf(draft)
    const wrong = { ...('faults' in read ? read.faults : {}), ...(draft.name.trim() ? {} : { name: w.nameMissing }) }
    setFaults(wrong)
    if ('request' in read && !wrong.name) create.mutate(read.request)
  }
  const rest = create.error && Object.keys(faultsOf(create.error)).length === 0 ? create.error : undefined
  return { faults, rest, pending: create.isPending, submit }
}

const shown = ['name', 'image', 'cpus', 'memory_mib', 'disk_gib', 'ssh_keys', 'user_data', 'node', 'description', 'tags', 'firmware', 'cdrom']

function faultsOf(error: unknown): Record<string, string> {
  if (!(error instanceof Problem)) return {}
  const found: Record<string, string> = {}
  for (const f of [{ field: error.field ?? '', message: error.message }, ...error.fields]) {
    const name = shown.find((s) => f.field === s || f.field.endsWith(`.${s}`))
    if (name) found[name] = sentence(new Error(f.message))
  }
  return found
}
