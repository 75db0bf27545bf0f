// The pure heart of live data: events in, what is known of each thing out. For one thing the latest event counts, whatever the
// order in which events come, and what has ended stays ended. Cached answers are patched with what this knows.
import type { Event, Operation, VMSummary } from '../api/client.ts'

export type VMPatch = Pick<VMSummary, 'status' | 'status_reason' | 'addresses'> & { operation: string }
export type OperationPatch = Partial<Operation> & Pick<Operation, 'id' | 'status' | 'subject' | 'kind'>

type Known<T> = { stamp: string; patch: T }
export type Live = {
  vms: ReadonlyMap<string, Known<VMPatch>>
  gone: ReadonlyMap<string, true> // subjects that were deleted
  operations: ReadonlyMap<string, Known<OperationPatch> & { ended: boolean }>
}

export const nothing: Live = {
  vms: new Map(),
  gone: new Map(),
  operations: new Map(),
}

/** What an event asks of the cache. */
export type Change =
  | { kind: 'vm'; id: string; patch: VMPatch }
  | { kind: 'gone'; subject: string }
  | { kind: 'operation'; id: string; patch: OperationPatch }
  | {
      kind: 'stale'
      root: 'vms' | 'nodes' | 'images' | 'networks' | 'users' | 'invites' | 'operations' | 'snapshots'
      id?: string
    }

/** How many things are remembered of each kind; the oldest are forgotten first. They only guard against old news. */
const memory = 2_000

/** A copy of what is known, for the time of one call of reduce. */
type Draft = { vms: Map<string, Known<VMPatch>>; gone: Map<string, true>; operations: Map<string, Known<OperationPatch> & { ended: boolean }> }

/** Takes all that came in one go: what is known is copied once, not for each event. */
export function reduce(live: Live, events: readonly Event[]): { live: Live; changes: Change[] } {
  const draft: Draft = { vms: new Map(live.vms), gone: new Map(live.gone), operations: new Map(live.operations) }
  const changes = events.flatMap((event) => take(draft, event))
  return { live: changes.length > 0 ? draft : live, changes }
}

function take(draft: Draft, event: Event): Change[] {
  const [kind = '', id = ''] = event.subject.split('/', 2)
  if (event.type.startsWith('operation.')) return takeOperation(draft, event, id)
  if (event.type.endsWith('.deleted')) {
    remember(draft.gone, event.subject, true)
    return [{ kind: 'gone', subject: event.subject }, ...stale(kind, '')]
  }
  if (event.type === 'vm.state') return takeState(draft, event, id)
  if (event.type.startsWith('vm.snapshot')) return [{ kind: 'stale', root: 'snapshots', id }, ...stale(kind, id)]
  // An audit record of a thing changes nothing about it, but for invitations, which have no other events.
  if (kind === 'invite') return [{ kind: 'stale', root: 'invites' }]
  return event.type.startsWith(`${kind}.`) ? stale(kind, id) : []
}

function takeState(draft: Draft, event: Event, id: string): Change[] {
  const known = draft.vms.get(id)
  const stamp = stampOf(event)
  if (draft.gone.has(event.subject) || (known && known.stamp >= stamp)) return []
  const data = record(event.data)
  const patch: VMPatch = {
    status: text(data.status) as VMSummary['status'], // the server's own word
    status_reason: text(data.reason),
    addresses: Array.isArray(data.addresses) ? data.addresses.map(String) : [],
    operation: text(data.operation),
  }
  remember(draft.vms, id, { stamp, patch })
  return [{ kind: 'vm', id, patch }]
}

function takeOperation(draft: Draft, event: Event, id: string): Change[] {
  const known = draft.operations.get(id)
  const ended = event.type === 'operation.ended'
  const stamp = stampOf(event)
  if (known && (known.ended || (!ended && known.stamp >= stamp))) return []
  const data = record(event.data)
  const patch: OperationPatch = {
    id,
    kind: text(data.kind),
    subject: text(data.subject),
    subject_name: text(data.subject_name),
    status: text(data.status) as Operation['status'], // the server's own word
    step: number(data.step),
    steps: Array.isArray(data.steps) ? data.steps.map(String) : [],
    progress: number(data.progress),
    sentence: text(data.sentence),
    cancel_requested: data.cancel === true,
    updated_at: event.time,
    ...(ended ? { ended_at: event.time } : {}),
    ...(data.error ? { error: data.error as Operation['error'] } : {}),
  }
  remember(draft.operations, id, { stamp, patch, ended })
  const changes: Change[] = [{ kind: 'operation', id, patch }]
  if (event.type !== 'operation.progress') changes.push(...after(patch, ended))
  return changes
}

/** What an operation's turn makes old beside itself. */
function after(o: OperationPatch, ended: boolean): Change[] {
  const [kind = '', id = ''] = o.subject.split('/', 2)
  const changes: Change[] = [{ kind: 'stale', root: 'operations' }]
  if (o.kind.startsWith('snapshot.')) changes.push({ kind: 'stale', root: 'snapshots', id })
  if (ended) changes.push(...stale(kind, id))
  return changes
}

function stale(kind: string, id: string): Change[] {
  switch (kind) {
    case 'vm':
      return [{ kind: 'stale', root: 'vms', id }]
    case 'node':
      return [{ kind: 'stale', root: 'nodes', id }]
    case 'image':
      return [{ kind: 'stale', root: 'images' }]
    case 'network':
      return [{ kind: 'stale', root: 'networks' }]
    case 'user':
      return [{ kind: 'stale', root: 'users' }]
    default:
      return []
  }
}

/** Orders events of one thing. Times come with fractions of any length, and two events of one moment have cursors whose last
 * part is longer when it is later. */
export function stampOf(event: Event): string {
  const [seconds = '', fraction = ''] = event.time.replace('Z', '').split('.', 2)
  const place = event.id?.split('-', 2)[1] ?? ''
  return `${seconds}.${fraction.padEnd(9, '0')}/${place.padStart(13, '0')}`
}

function remember<T>(map: Map<string, T>, key: string, value: T) {
  map.delete(key) // the latest stands last
  map.set(key, value)
  if (map.size > memory) map.delete(map.keys().next().value ?? '')
}

function record(data: unknown): Record<string, unknown> {
  return typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {}
}
const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const number = (value: unknown): number => (typeof value === 'number' ? value : 0)
