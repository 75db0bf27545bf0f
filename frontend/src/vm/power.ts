import { api, body, type VM } from '../api/client.ts'
import { words } from '../i18n/en/core.ts'

/** What turns a VM's run state, in the order in which it is offered. */
export const powers = ['start', 'stop', 'restart', 'pause', 'resume', 'suspend', 'force_stop'] as const
export type Power = (typeof powers)[number]

/** The server says per verb whether it is possible now, or one sentence why not. */
export function reason(vm: VM, verb: string): string | undefined {
  const decision = vm.actions[verb]
  if (!decision) return words.common.unknown
  return decision.allowed ? undefined : decision.why || words.common.unknown
}

/** Asks for a run state; the answer is the VM with the operation that brings it there. */
export async function sendPower(id: string, verb: Power) {
  const params = { path: { id } }
  switch (verb) {
    case 'start':
      return body(api.POST('/api/v1/vms/{id}/start', { params }))
    case 'stop':
      return body(api.POST('/api/v1/vms/{id}/stop', { params }))
    case 'force_stop':
      return body(api.POST('/api/v1/vms/{id}/stop', { params, body: { force: true } }))
    case 'restart':
      return body(api.POST('/api/v1/vms/{id}/restart', { params }))
    case 'pause':
      return body(api.POST('/api/v1/vms/{id}/pause', { params }))
    case 'resume':
      return body(api.POST('/api/v1/vms/{id}/resume', { params }))
    case 'suspend':
      return body(api.POST('/api/v1/vms/{id}/suspend', { params }))
    default:
      return verb satisfies never
  }
}
