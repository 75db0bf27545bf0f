import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { api, body, type Schemas, type VM } from '../api/client.ts'
import { words } from '../i18n/en/vm.ts'
import { mebibytes, parseMebibytes } from '../lib/format.ts'
import { tagsOf } from '../lib/tags.ts'
import { Check, Field } from '../ui/field.tsx'
import { FormDialog, faultsOf } from '../ui/form.tsx'
import { toastDone } from '../ui/toast.tsx'

const w = words.edit

/** Changes a VM if nobody changed it since it was read; what a running guest cannot take waits for its next start. */
export function useUpdateVM(vm: VM, onDone: () => void) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: (change: Schemas['UpdateVM']) =>
      body(
        api.PATCH('/api/v1/vms/{id}', {
          params: { path: { id: vm.id }, header: { 'If-Match': `"${vm.version}"` } },
          body: change,
        }),
      ),
    onSuccess: ({ operation, ...now }) => {
      client.setQueriesData<VM>({ queryKey: ['vms', 'one', vm.id] }, now)
      if (operation) client.setQueryData(['operations', 'one', operation.id], operation)
      toastDone(operation ? w.begun(now.name) : w.saved(now.name))
      onDone()
    },
    // Somebody else was quicker: show what is there now.
    onError: () => void client.invalidateQueries({ queryKey: ['vms', 'one', vm.id] }),
  })
}

export function EditVM({ vm: v, onClose }: { vm: VM; onClose: () => void }) {
  const save = useUpdateVM(v, onClose)
  const [bad, setBad] = useState<{ cpus?: string; memory?: string }>({})
  const { at, whole } = faultsOf(save.error, ['name', 'description', 'tags', 'cpus', 'memory_mib'])
  const submit = (form: FormData) => {
    const cpus = Number(form.get('cpus'))
    const memory = parseMebibytes(String(form.get('memory')))
    const wrong = {
      ...(Number.isInteger(cpus) && cpus >= 1 ? {} : { cpus: words.amount.badNumber }),
      ...(memory ? {} : { memory: words.amount.badMemory }),
    }
    setBad(wrong)
    if (Object.keys(wrong).length > 0 || !memory) return
    const asked = {
      name: String(form.get('name')),
      description: String(form.get('description')),
      cpus,
      memory_mib: memory,
      protected: form.has('protected'),
    }
    const change: Schemas['UpdateVM'] = Object.fromEntries(Object.entries(asked).filter(([key, value]) => v[key as keyof typeof asked] !== value))
    const tags = tagsOf(String(form.get('tags')))
    if (tags.join() !== v.tags.join()) change.tags = tags
    const enabled = form.has('autostart')
    save.mutate(enabled === v.autostart.enabled ? change : { ...change, autostart: { ...v.autostart, enabled } })
  }
  return (
    <FormDialog title={w.title(v.name)} submit={words.common.save} busy={save.isPending} error={whole} onClose={onClose} onSubmit={submit}>
      <Field label={words.common.name} hint={words.create.nameHint} fault={at.name}>
        {(c) => <input {...c} name="name" defaultValue={v.name} autoComplete="off" spellCheck={false} required maxLength={63} />}
      </Field>
      <Field label={words.vm.description} fault={at.description}>
        {(c) => <input {...c} name="description" defaultValue={v.description} autoComplete="off" maxLength={1000} />}
      </Field>
      <Field label={words.vms.tags} hint={words.vms.tagsHint} fault={at.tags}>
        {(c) => <input {...c} name="tags" defaultValue={v.tags.join(' ')} autoComplete="off" spellCheck={false} maxLength={1100} />}
      </Field>
      <div className="columns">
        <Field label={words.vm.cpus} fault={bad.cpus ?? at.cpus}>
          {(c) => <input {...c} name="cpus" inputMode="numeric" defaultValue={v.cpus} autoComplete="off" />}
        </Field>
        <Field label={words.vm.memory} hint={words.amount.memoryHint} fault={bad.memory ?? at.memory_mib}>
          {(c) => <input {...c} name="memory" defaultValue={mebibytes(v.memory_mib)} autoComplete="off" />}
        </Field>
      </div>
      {v.status === 'running' || v.status === 'paused' ? <p className="muted">{w.running}</p> : null}
      <Check label={words.machine.autostart} name="autostart" defaultChecked={v.autostart.enabled} />
      <Check label={words.create.protect} name="protected" defaultChecked={v.protected} />
    </FormDialog>
  )
}

export function CloneVM({ vm: v, onClose }: { vm: VM; onClose: () => void }) {
  const navigate = useNavigate()
  const clone = useMutation({
    mutationFn: (request: Schemas['CloneVM']) => body(api.POST('/api/v1/vms/{id}/clone', { params: { path: { id: v.id } }, body: request })),
    onSuccess: async (made) => {
      onClose()
      await navigate({ to: '/vms/$id', params: { id: made.id } })
    },
  })
  const { at, whole } = faultsOf(clone.error, ['name'])
  return (
    <FormDialog
      title={w.cloneTitle(v.name)}
      submit={words.verbs.clone ?? ''}
      busy={clone.isPending}
      error={whole}
      onClose={onClose}
      onSubmit={(form) => clone.mutate({ name: String(form.get('name')), linked: form.has('linked'), start: form.has('start') })}
    >
      <Field label={w.cloneName} hint={words.create.nameHint} fault={at.name}>
        {(c) => <input {...c} name="name" defaultValue={`${v.name}-copy`.slice(0, 63)} autoComplete="off" spellCheck={false} required maxLength={63} />}
      </Field>
      <Check label={w.linked} hint={w.linkedHint} name="linked" />
      <Check label={words.create.start} name="start" />
    </FormDialog>
  )
}
