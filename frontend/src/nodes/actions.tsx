import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { api, body, type Node, type Schemas } from '../api/client.ts'
import { useRights } from '../auth/rights.ts'
import { words } from '../i18n/en/nodes.ts'
import { Action } from '../ui/action.tsx'
import { ConfirmDialog } from '../ui/confirm.tsx'
import { Field } from '../ui/field.tsx'
import { FormDialog, faultsOf } from '../ui/form.tsx'
import { toastDone, toastError } from '../ui/toast.tsx'
import { parseLabels, showLabels } from './labels.ts'

const w = words.nodes

/** Changes a node as it was read, and shows it as it is then. */
function useChangeNode(n: Node, onDone: () => void = () => undefined) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: (change: Schemas['UpdateNode']) =>
      body(
        api.PATCH('/api/v1/nodes/{id}', {
          params: { path: { id: n.id }, header: { 'If-Match': `"${n.version}"` } },
          body: change,
        }),
      ),
    onSuccess: (now) => {
      client.setQueryData(['nodes', 'one', n.id], now)
      onDone()
    },
  })
}

/** What can be done to a machine. */
export function NodeActions({ node: n }: { node: Node }) {
  const [asked, setAsked] = useState<'labels' | 'dead' | 'remove'>()
  const close = () => setAsked(undefined)
  const why = useRights().nodes ? undefined : words.common.forbidden('node.write')
  const cordon = useChangeNode(n)
  return (
    <>
      <Action
        label={n.cordoned ? w.uncordon : w.cordon}
        why={why}
        onAction={() => !cordon.isPending && cordon.mutate({ cordoned: !n.cordoned }, { onError: toastError })}
      />
      <Action label={w.edit} why={why} onAction={() => setAsked('labels')} />
      {n.state === 'lost' ? <Action label={w.dead} className="danger" why={why} onAction={() => setAsked('dead')} /> : null}
      <Action label={w.remove} className="danger" why={why} onAction={() => setAsked('remove')} />
      {asked === 'labels' ? <Labels node={n} onClose={close} /> : null}
      {asked === 'dead' ? <Dead node={n} onClose={close} /> : null}
      {asked === 'remove' ? <Remove node={n} onClose={close} /> : null}
    </>
  )
}

function Labels({ node: n, onClose }: { node: Node; onClose: () => void }) {
  const [bad, setBad] = useState<string>()
  const save = useChangeNode(n, onClose)
  const { at, whole } = faultsOf(save.error, ['labels'])
  const submit = (form: FormData) => {
    const read = parseLabels(String(form.get('labels')))
    setBad('wrong' in read ? w.badLabel(read.wrong) : undefined)
    if ('labels' in read) save.mutate(read)
  }
  return (
    <FormDialog title={w.edit} submit={words.common.save} busy={save.isPending} error={whole} onClose={onClose} onSubmit={submit}>
      <Field label={w.labels} hint={w.labelsHint} fault={bad ?? at.labels}>
        {(c) => <textarea {...c} name="labels" rows={5} spellCheck={false} defaultValue={showLabels(n.labels).join('\n')} />}
      </Field>
    </FormDialog>
  )
}

function Dead({ node: n, onClose }: { node: Node; onClose: () => void }) {
  const client = useQueryClient()
  return (
    <ConfirmDialog
      title={w.deadTitle(n.name)}
      submit={w.dead}
      text={w.deadText}
      act={() => body(api.POST('/api/v1/nodes/{id}/confirm-dead', { params: { path: { id: n.id } } }))}
      onDone={() => {
        toastDone(w.deadDone(n.name))
        void client.invalidateQueries({ queryKey: ['nodes'] })
      }}
      onClose={onClose}
    />
  )
}

function Remove({ node: n, onClose }: { node: Node; onClose: () => void }) {
  const client = useQueryClient()
  const navigate = useNavigate()
  return (
    <ConfirmDialog
      title={w.removeTitle(n.name)}
      submit={w.remove}
      text={w.removeText}
      warning={n.vms > 0 ? w.removeBlocked(n.vms) : undefined}
      act={() => api.DELETE('/api/v1/nodes/{id}', { params: { path: { id: n.id } } })}
      onDone={() => {
        toastDone(w.removed(n.name))
        void client.invalidateQueries({ queryKey: ['nodes', 'list'] })
        void navigate({ to: '/nodes' })
      }}
      onClose={onClose}
    />
  )
}
