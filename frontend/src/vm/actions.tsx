import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import type { VM } from '../api/client.ts'
import { words } from '../i18n/en/vms.ts'
import { Action } from '../ui/action.tsx'
import { Menu } from '../ui/menu.tsx'
import { toastError } from '../ui/toast.tsx'
import { DeleteVM } from './delete.tsx'
import { CloneVM, EditVM } from './edit.tsx'
import { type Power, reason, sendPower } from './power.ts'

export function VMActions({ vm }: { vm: VM }) {
  const client = useQueryClient()
  const navigate = useNavigate()
  const [asked, setAsked] = useState<'update' | 'clone' | 'delete'>()
  const close = () => setAsked(undefined)
  const power = useMutation({
    mutationFn: (verb: Power) => sendPower(vm.id, verb),
    onSuccess: ({ operation, ...now }) => {
      client.setQueryData(['vms', 'one', vm.id], now)
      if (operation) client.setQueryData(['operations', 'one', operation.id], operation)
    },
    onError: toastError,
  })
  const button = (verb: Power, className = '', explain = false) => (
    <Action
      key={verb}
      label={words.verbs[verb] ?? verb}
      why={reason(vm, verb)}
      className={className}
      explain={explain}
      onAction={() => power.mutate(verb)}
    />
  )
  return (
    <>
      {button('start')}
      {button('stop')}
      <Action
        label={words.verbs.console ?? ''}
        why={reason(vm, 'console')}
        onAction={() => void navigate({ to: '/vms/$id/console', params: { id: vm.id } })}
      />
      <Menu label={words.common.more} face="⋯">
        {(['restart', 'pause', 'resume', 'suspend'] as const).map((verb) => button(verb, 'quiet', true))}
        {button('force_stop', 'quiet danger', true)}
        {(['update', 'clone', 'delete'] as const).map((verb) => (
          <Action
            key={verb}
            label={words.verbs[verb] ?? verb}
            why={reason(vm, verb)}
            className={`quiet ${verb === 'delete' ? 'danger' : ''}`}
            explain
            onAction={() => setAsked(verb)}
          />
        ))}
      </Menu>
      {asked === 'update' ? <EditVM vm={vm} onClose={close} /> : null}
      {asked === 'clone' ? <CloneVM vm={vm} onClose={close} /> : null}
      {asked === 'delete' ? <DeleteVM vm={vm} onClose={close} /> : null}
    </>
  )
}
