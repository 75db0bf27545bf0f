// The pure heart of live data: events in, what is known of each thing out. For one thing the latest event counts, whatever the
// order in which events come, and what has ended stays ended. Cached answers are patched with what this knows.
import type { Event, Operation, VMSummary } from '../api/client.ts'

export type VMPatch = Pick<VMSummary, 'status' | 'status_reason' | 'addresses'> & { operation: string }
export type OperationPatch = Partial<Operation> & Pick<Operation, 'id' | 'status' | 'subject' | 'kind'>

type Known<T> = { stamp: string; patch: T }
export type Live = {
  vms: ReadonlyMap<string, Known<VMPatch>>
  gone: ReadonlySet<string> // subjects that were deleted
  operations: ReadonlyMap<string, Known<OperationPatch> & { ended: boolean }>
}

export const nothing: Live = {
  vms: new Map(),
  gone: new Set(),
  operations: new Map(),
}

/** What an event asks of the cache. */
export type Change =
  | { kind: 'vm'; id: string; patch: VMPatch }
  | { kind: 'gone'; subject: string }
  | { kind: 'operation'; id: string; patch: OperationPatch }
  | {
      kind: 'stale'
      root: 'vms' | 'nodes' | 'images' | 'networks' | 'users' | 'operations' | 'snapshots'
      id?: string
    }

/** How many things are remembered of each kind; the oldest are forgotten first. They only guard against old news. */
const memory = 2_000

export function reduce(live: Live, event: Event): { live: Live; changes: Change[] } {
  const [kind = '', id = ''] = event.subject.split('/', 2)
  if (event.type.startsWith('operation.')) return reduceOperation(live, event, id)
  if (event.type.endsWith('.deleted')) {
    const gone = new Set(live.gone).add(event.subject)
    return {
      live: { ...live, gone },
      changes: [{ kind: 'gone', subject: event.subject }, ...stale(kind, '')],
    }
  }
  if (event.type === 'vm.state') return reduceState(live, event, id)
  if (event.type.startsWith('vm.snapshot'))
    return {
      live,
      changes: [{ kind: 'stale', root: 'snapshots', id }, ...stale(kind, id)],
    }
  // An audit record of a thing changes nothing about it.
  return {
    live,
    changes: event.type.startsWith(`${kind}.`) ? stale(kind, id) : [],
  }
}

function reduceState(live: Live, event: Event, id: string): { live: Live; changes: Change[] } {
  const known = live.vms.get(id)
  if (live.gone.has(event.subject) || (known && known.stamp >= stampOf(event))) return { live, changes: [] }
  const data = record(event.data)
  const patch: VMPatch = {
    status: text(data.status) as VMSummary['status'], // the server's own word
    status_reason: text(data.reason),
    addresses: Array.isArray(data.addresses) ? data.addresses.map(String) : [],
    operation: text(data.operation),
  }
  const vms = remember(live.vms, id, { stamp: stampOf(event), patch })
  return { live: { ...live, vms }, changes: [{ kind: 'vm', id, patch }] }
}

function reduceOperation(live: Live, event: Event, id: string): { live: Live; changes: Change[] } {
  const known = live.operations.get(id)
  const ended = event.type === 'operation.ended'
  if (known && (known.ended || (!ended && known.stamp >= stampOf(event)))) return { live, changes: [] }
  const data = record(event.data)
  const patch: OperationPatch = {
    id,
    kind: text(data.kind),
    subject: text(data.subject),
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
  const operations = remember(live.operations, id, {
    stamp: stampOf(event),
    patch,
    ended,
  })
  const changes: Change[] = [{ kind: 'operation', id, patch }]
  if (event.type !== 'operation.progress') changes.push(...after(patch, ended))
  return { live: { ...live, operations }, changes }
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

function remember<T>(map: ReadonlyMap<string, T>, key: string, value: T): ReadonlyMap<string, T> {
  const next = new Map(map)
  next.delete(key)
  next.set(key, value)
  if (next.size > memory) next.delete(next.keys().next().value ?? '')
  return next
}

function record(data: unknown): Record<string, unknown> {
  return typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {}
}
const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const number = (value: unknown): number => (typeof value === 'number' ? value : 0)
