import { useMutation, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { api, body, type VM } from '../api/client.ts'
import { snapshots } from '../api/queries.ts'
import { words } from '../i18n/en/vm.ts'
import { gibibytes } from '../lib/format.ts'
import { Action } from '../ui/action.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { ErrorView } from '../ui/views.tsx'

const w = words.vm

/** Names everything that goes with the VM, and takes its name as the word for it. */
export function DeleteVM({ vm, onClose }: { vm: VM; onClose: () => void }) {
  const navigate = useNavigate()
  const [typed, setTyped] = useState('')
  const remove = useMutation({
    mutationFn: () => body(api.DELETE('/api/v1/vms/{id}', { params: { path: { id: vm.id } } })),
    onSuccess: () => {
      onClose()
      void navigate({ to: '/vms' })
    },
  })
  const { data: shots } = useQuery({ ...snapshots(vm.id), enabled: vm.snapshot_count > 0 })
  const disks = vm.disks.filter((d) => !d.cdrom)
  const size = gibibytes(disks.reduce((sum, d) => sum + d.size_gib, 0))
  return (
    <Dialog title={w.deleteTitle(vm.name)} onClose={onClose}>
      <p>{w.deleteWhat}</p>
      <ul className="list">
        <li>
          {w.deleteDisks(disks.length, size)}
          {disks.length > 1 ? <Each of={disks.map((d) => gibibytes(d.size_gib))} /> : null}
        </li>
        {vm.snapshot_count > 0 ? (
          <li>
            {w.deleteSnapshots(vm.snapshot_count)}
            {shots ? <Each of={shots.items.map((s) => s.name)} /> : null}
          </li>
        ) : null}
        {vm.addresses.length > 0 ? <li>{w.deleteAddresses(vm.addresses.join(', '))}</li> : null}
        {vm.linked_clones.length > 0 ? <li>{w.deleteClones(vm.linked_clones.join(', '))}</li> : null}
      </ul>
      <p className="muted">{w.deleteKeep}</p>
      {remove.error ? <ErrorView error={remove.error} /> : null}
      <Field label={w.deleteType(vm.name)}>
        {(c) => (
          <input
            {...c}
            autoComplete="off"
            spellCheck={false}
            value={typed}
            onChange={(e) => setTyped(e.target.value)}
          />
        )}
      </Field>
      <div className="row">
        <button type="button" className="button" onClick={onClose}>
          {words.common.cancel}
        </button>
        <Action
          label={w.delete}
          className="danger primary"
          why={typed === vm.name ? undefined : w.deleteType(vm.name)}
          onAction={() => !remove.isPending && remove.mutate()}
        />
      </div>
    </Dialog>
  )
}

const named = 8 // of a kind; a VM with more of them has a page that lists all

function Each({ of }: { of: readonly string[] }) {
  return (
    <span className="why">
      {of.slice(0, named).join(', ')}
      {of.length > named ? ` ${w.andMore(of.length - named)}` : ''}
    </span>
  )
}
