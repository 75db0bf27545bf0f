import { learnNames } from '../lib/names.ts'
import type { Event } from './client.ts'

/** Learns the name that an event carries, if it is that of its subject. */
export function learnFrom(event: Event) {
  const [kind = '', id = ''] = event.subject.split('/', 2)
  const { name } = (event.data ?? {}) as { name?: unknown }
  // A snapshot's event is about its VM and carries the snapshot's name.
  if (
    typeof name === 'string' &&
    ['vm.state', 'vm.created', 'vm.updated', 'node.state', 'node.joined', 'image.ready'].includes(event.type)
  )
    learnNames(kind, [{ id, name }])
}
