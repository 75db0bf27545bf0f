import { useMutation, useQuery, useQueryClient, useSuspenseQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { api, body, type Snapshot, type VM } from '../api/client.ts'
import { snapshots, vm } from '../api/queries.ts'
import { words } from '../i18n/en/vm.ts'
import { absolute } from '../lib/format.ts'
import { Action } from '../ui/action.tsx'
import { ConfirmDialog } from '../ui/confirm.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Check, Field } from '../ui/field.tsx'
import { FormDialog, faultsOf } from '../ui/form.tsx'
import { Ready } from '../ui/page.tsx'
import { State } from '../ui/state.tsx'
import { Time } from '../ui/time.tsx'
import { Empty, Loaded } from '../ui/views.tsx'
import { reason } from '../vm/power.ts'

const w = words.snapshot

type Asked = { what: 'take' } | { what: 'revert' | 'delete'; snapshot: Snapshot }

export function VMSnapshots() {
  const { id } = useParams({ from: '/shell/vms/$id/snapshots' })
  const { data: v } = useSuspenseQuery(vm(id))
  const query = useQuery(snapshots(id))
  const [asked, setAsked] = useState<Asked>()
  const close = () => setAsked(undefined)
  return (
    <div className="stack">
      <div>
        <Action
          label={w.take}
          className="primary"
          why={reason(v, 'snapshot')}
          onAction={() => setAsked({ what: 'take' })}
        />
      </div>
      <Loaded query={query}>
        {(list) => (
          <>
            {list.items.length === 0 ? <Empty text={w.empty} /> : <Table vm={v} list={list.items} ask={setAsked} />}
            <Ready />
          </>
        )}
      </Loaded>
      {asked?.what === 'take' ? <Take vm={v} onClose={close} /> : null}
      {asked && asked.what !== 'take' ? (
        <Confirm vm={v} what={asked.what} snapshot={asked.snapshot} onClose={close} />
      ) : null}
    </div>
  )
}

function Table({ vm: v, list, ask }: { vm: VM; list: Snapshot[]; ask: (asked: Asked) => void }) {
  return (
    <DataTable label={words.vm.snapshots} columns={[w.name, words.common.state, w.kind, words.common.created]} last={words.common.more}>
      {list.map((s) => (
        <tr key={s.id}>
          <th scope="row">
            {s.name}
            {s.description ? <span className="why">{s.description}</span> : null}
          </th>
          <td title={s.state_reason || undefined}>
            <State word={s.state} />
          </td>
          <td>{s.memory ? w.disksMemory : w.disksOnly}</td>
          <td>
            <Time at={s.created_at} />
          </td>
          <td className="end">
            <span className="row">
              <Action
                label={w.revert}
                why={reason(v, 'revert')}
                onAction={() => ask({ what: 'revert', snapshot: s })}
              />
              <Action
                label={w.delete}
                why={reason(v, 'update')}
                className="danger"
                onAction={() => ask({ what: 'delete', snapshot: s })}
              />
            </span>
          </td>
        </tr>
      ))}
    </DataTable>
  )
}

function useRefresh(id: string) {
  const client = useQueryClient()
  return () => {
    void client.invalidateQueries({ queryKey: ['snapshots'] })
    void client.invalidateQueries({ queryKey: ['vms', 'one', id] })
  }
}

function Take({ vm: v, onClose }: { vm: VM; onClose: () => void }) {
  const refresh = useRefresh(v.id)
  const take = useMutation({
    mutationFn: (form: FormData) =>
      body(
        api.POST('/api/v1/vms/{id}/snapshots', {
          params: { path: { id: v.id } },
          body: {
            name: String(form.get('name')) || undefined,
            description: String(form.get('description')) || undefined,
            memory: form.has('memory'),
            quiesce: form.has('quiesce'),
          },
        }),
      ),
    onSuccess: () => {
      refresh()
      onClose()
    },
  })
  const { at, whole } = faultsOf(take.error, ['name', 'description'])
  const awake = v.status === 'running' || v.status === 'paused'
  return (
    <FormDialog
      title={w.take}
      submit={w.take}
      busy={take.isPending}
      error={whole}
      onClose={onClose}
      onSubmit={(form) => take.mutate(form)}
    >
      <Field label={w.name} hint={w.nameHint} fault={at.name}>
        {(c) => <input {...c} name="name" autoComplete="off" maxLength={63} />}
      </Field>
      <Field label={w.description} fault={at.description}>
        {(c) => <input {...c} name="description" autoComplete="off" maxLength={1000} />}
      </Field>
      {awake ? <Check label={w.memory} hint={w.memoryHint} name="memory" /> : null}
      {v.guest_agent ? <Check label={w.quiesce} name="quiesce" /> : null}
    </FormDialog>
  )
}

type ConfirmProps = {
  vm: VM
  what: 'revert' | 'delete'
  snapshot: Snapshot
  onClose: () => void
}

function Confirm({ vm: v, what, snapshot: s, onClose }: ConfirmProps) {
  const refresh = useRefresh(v.id)
  const params = { path: { id: v.id, snapshot: s.id } }
  if (what === 'revert')
    return (
      <ConfirmDialog
        title={w.revertTitle(s.name)}
        submit={w.revert}
        text={w.revertText(absolute(Date.parse(s.created_at)))}
        act={() => body(api.POST('/api/v1/vms/{id}/snapshots/{snapshot}/revert', { params }))}
        onDone={refresh}
        onClose={onClose}
      />
    )
  return (
    <ConfirmDialog
      title={w.deleteTitle(s.name)}
      submit={w.delete}
      text={w.deleteText}
      act={() => body(api.DELETE('/api/v1/vms/{id}/snapshots/{snapshot}', { params }))}
      onDone={refresh}
      onClose={onClose}
    />
  )
}
