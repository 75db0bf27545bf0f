import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { Schemas, VM } from '../api/client.ts'
import { networks } from '../api/queries.ts'
import { words } from '../i18n/en/vm.ts'
import { gibibytes } from '../lib/format.ts'
import { Action } from '../ui/action.tsx'
import { Field } from '../ui/field.tsx'
import { FormDialog, faultsOf } from '../ui/form.tsx'
import { useUpdateVM } from './edit.tsx'
import { reason } from './power.ts'

const w = words.hardware
type Disk = VM['disks'][number]
type NIC = VM['nics'][number]

type Asked =
  | { what: 'add disk' }
  | { what: 'grow' | 'remove disk'; disk: Disk; label: string }
  | { what: 'add nic' }
  | { what: 'remove nic'; nic: NIC }

/** Disks and network interfaces: they come and go while the guest runs where it can take that. */
export function Hardware({ vm: v }: { vm: VM }) {
  const [asked, setAsked] = useState<Asked>()
  const why = reason(v, 'update')
  return (
    <>
      <section className="card">
        <h2 className="row">
          {words.vm.disks}
          <span className="grow" />
          <Action label={w.add} name={w.addDisk} why={why} className="small" onAction={() => setAsked({ what: 'add disk' })} />
        </h2>
        <ul className="list">
          {v.disks.map((d, i) => {
            const label = d.cdrom ? words.vm.cdrom : words.vm.disk(i + 1)
            return (
              <li key={d.id}>
                <span>
                  {label} {d.cdrom ? null : <strong>{gibibytes(d.size_gib)}</strong>}
                  <span className="why">{[d.boot_from ? words.vm.boot : '', words.vm.limits(d.iops ?? 0, d.mib_per_s ?? 0), d.id].filter(Boolean).join(' · ')}</span>
                </span>
                <span className="row">
                  {d.cdrom ? null : (
                    <Action label={w.grow} name={w.growNamed(label)} why={why} className="small" onAction={() => setAsked({ what: 'grow', disk: d, label })} />
                  )}
                  {i > 0 ? (
                    <Action
                      label={w.remove}
                      name={w.removeNamed(label)}
                      why={why}
                      className="small danger"
                      onAction={() => setAsked({ what: 'remove disk', disk: d, label })}
                    />
                  ) : null}
                </span>
              </li>
            )
          })}
        </ul>
      </section>
      <section className="card">
        <h2 className="row">
          {words.vm.nics}
          <span className="grow" />
          <Action label={w.add} name={w.addNIC} why={why} className="small" onAction={() => setAsked({ what: 'add nic' })} />
        </h2>
        {v.nics.length === 0 ? <p className="muted">{words.common.none}</p> : null}
        <ul className="list">
          {v.nics.map((n) => (
            <li key={n.id}>
              <span>
                {n.network_name} <span className="mono">{n.address}</span>
                <span className="why mono">{n.mac}</span>
              </span>
              <Action
                label={w.remove}
                name={w.removeNamed(`${n.network_name} ${n.mac}`)}
                why={why}
                className="small danger"
                onAction={() => setAsked({ what: 'remove nic', nic: n })}
              />
            </li>
          ))}
        </ul>
      </section>
      {asked ? <Change vm={v} asked={asked} onClose={() => setAsked(undefined)} /> : null}
    </>
  )
}

function Change({ vm: v, asked, onClose }: { vm: VM; asked: Asked; onClose: () => void }) {
  const save = useUpdateVM(v, onClose)
  const { at, whole } = faultsOf(save.error, ['size_gib'])
  const submit = (form: FormData) => save.mutate(changeOf(asked, form))
  const least = asked.what === 'grow' ? asked.disk.size_gib + 1 : 1
  const removes = asked.what === 'remove disk' || asked.what === 'remove nic'
  return (
    <FormDialog title={titleOf(asked)} submit={removes ? w.remove : asked.what === 'grow' ? w.grow : w.add} danger={removes} busy={save.isPending} error={whole} onClose={onClose} onSubmit={submit}>
      {asked.what === 'remove disk' ? <p>{w.lost(gibibytes(asked.disk.size_gib))}</p> : null}
      {asked.what === 'remove nic' ? <p>{w.cut(asked.nic.address)}</p> : null}
      {asked.what === 'grow' ? <p className="muted">{w.growHint}</p> : null}
      {asked.what === 'add disk' || asked.what === 'grow' ? (
        <Field label={words.create.disk} fault={at.size_gib}>
          {(c) => <input {...c} name="size" type="number" min={least} max={65536} defaultValue={least} required />}
        </Field>
      ) : null}
      {asked.what === 'add nic' ? <NetworkField /> : null}
    </FormDialog>
  )
}

function NetworkField() {
  const { data } = useQuery(networks())
  return (
    <Field label={words.vm.network}>
      {(c) => (
        <select {...c} name="network" required>
          {data?.items.map((n) => (
            <option key={n.id} value={n.id}>
              {n.name} ({n.subnet})
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}

function titleOf(asked: Asked): string {
  switch (asked.what) {
    case 'add disk':
      return w.addDisk
    case 'grow':
      return w.growNamed(asked.label)
    case 'remove disk':
      return w.removeNamed(asked.label)
    case 'add nic':
      return w.addNIC
    case 'remove nic':
      return w.removeNamed(asked.nic.network_name)
    default:
      return asked satisfies never
  }
}

function changeOf(asked: Asked, form: FormData): Schemas['UpdateVM'] {
  const size_gib = Number(form.get('size'))
  switch (asked.what) {
    case 'add disk':
      return { add_disks: [{ size_gib }] }
    case 'grow':
      return { disks: [{ id: asked.disk.id, size_gib }] }
    case 'remove disk':
      return { remove_disks: [asked.disk.id] }
    case 'add nic':
      return { add_nics: [String(form.get('network'))] }
    case 'remove nic':
      return { remove_nics: [asked.nic.id] }
    default:
      return asked satisfies never
  }
}
