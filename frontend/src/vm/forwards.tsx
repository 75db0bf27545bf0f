import { useState } from 'react'
import type { VM } from '../api/client.ts'
import { words } from '../i18n/en/vm.ts'
import { Action } from '../ui/action.tsx'
import { Field } from '../ui/field.tsx'
import { FormDialog, faultsOf } from '../ui/form.tsx'
import { useUpdateVM } from './edit.tsx'
import { parseForwards, showForward } from './ports.ts'
import { reason } from './power.ts'

const w = words.forwards

/** Ports of the node that reach the guest. */
export function Forwards({ vm: v }: { vm: VM }) {
  const [editing, setEditing] = useState(false)
  return (
    <section className="card">
      <h2 className="row">
        {w.title}
        <span className="grow" />
        <Action label={w.edit} name={w.editAll} why={reason(v, 'update')} className="small" onAction={() => setEditing(true)} />
      </h2>
      {v.forwards.length === 0 ? <p className="muted">{words.common.none}</p> : null}
      <ul className="list">
        {v.forwards.map((f) => (
          <li key={showForward(f)} className="mono">
            {showForward(f)}
          </li>
        ))}
      </ul>
      {editing ? <Edit vm={v} onClose={() => setEditing(false)} /> : null}
    </section>
  )
}

function Edit({ vm: v, onClose }: { vm: VM; onClose: () => void }) {
  const [bad, setBad] = useState<string>()
  const save = useUpdateVM(v, onClose)
  const { at, whole } = faultsOf(save.error, ['forwards', 'host_port', 'guest_port', 'listen'])
  const submit = (form: FormData) => {
    const read = parseForwards(String(form.get('forwards')))
    setBad('wrong' in read ? w.bad(read.wrong) : undefined)
    if ('forwards' in read) save.mutate(read)
  }
  return (
    <FormDialog title={w.editAll} submit={words.common.save} busy={save.isPending} error={whole} onClose={onClose} onSubmit={submit}>
      <Field label={w.title} hint={w.hint} fault={bad ?? at.forwards ?? at.host_port ?? at.guest_port ?? at.listen}>
        {(c) => <textarea {...c} name="forwards" rows={5} spellCheck={false} defaultValue={v.forwards.map(showForward).join('\n')} />}
      </Field>
    </FormDialog>
  )
}
