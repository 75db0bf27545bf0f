import { learn } from '../lib/names.ts'
import type { Event } from './client.ts'

// A snapshot's event is about its VM and carries the snapshot's name.
const telling = ['vm.state', 'vm.created', 'vm.updated', 'node.state', 'node.joined', 'image.ready']

/** Learns the names that events carry, where it is that of their subject. */
export function learnFrom(events: readonly Event[]) {
  learn(
    events.flatMap((event) => {
      const { name } = (event.data ?? {}) as { name?: unknown }
      return typeof name === 'string' && telling.includes(event.type) ? [[event.subject, name] as const] : []
    }),
  )
}
