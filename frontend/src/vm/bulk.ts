import { api, body, type VMSummary } from '../api/client.ts'
import { Problem, sentence } from '../api/problem.ts'
import { words } from '../i18n/en/vms.ts'
import { createStore } from '../lib/store.ts'

export const bulkVerbs = ['start', 'stop', 'restart', 'force_stop', 'delete'] as const
export type BulkVerb = (typeof bulkVerbs)[number]

export type Item = {
  id: string
  name: string
  state: 'waiting' | 'running' | 'done' | 'skipped' | 'failed'
  /** Why it was skipped or failed. */
  why?: string
}
export type Bulk = { verb: BulkVerb; items: readonly Item[] }

/** What is done to many VMs, and how it went with each. It goes on while pages change. */
export const bulk = createStore<Bulk | undefined>(undefined)

export const isRunning = (b: Bulk | undefined) => b?.items.some((i) => i.state === 'waiting' || i.state === 'running') ?? false

const atOnce = 5 // requests in flight: enough to keep the server busy, few enough for the others

const on = ['running', 'paused', 'starting']
const fits: Record<BulkVerb, readonly string[] | undefined> = {
  start: ['stopped', 'error'],
  stop: on,
  restart: ['running'],
  force_stop: [...on, 'stopping', 'error', 'unknown'],
  delete: undefined, // the server judges
}

/** Why a verb makes no sense for a VM as the list has it; the server has the last word on the others. */
export function pointless(verb: BulkVerb, vm: VMSummary): string | undefined {
  return fits[verb]?.includes(vm.status) === false ? words.bulk.itIs(vm.status) : undefined
}

export function startBulk(verb: BulkVerb, vms: readonly VMSummary[]) {
  const items = vms.map((vm): Item => {
    const why = pointless(verb, vm)
    return { id: vm.id, name: vm.name, ...(why ? { state: 'skipped', why } : { state: 'waiting' }) }
  })
  bulk.set({ verb, items })
  void run()
}

export function retryFailed() {
  bulk.update((b) => b && { ...b, items: b.items.map((i) => (i.state === 'failed' ? { id: i.id, name: i.name, state: 'waiting' } : i)) })
  void run()
}

let workers = 0
async function run() {
  if (workers > 0) return // those at work take the new ones, too
  const stay = (e: BeforeUnloadEvent) => e.preventDefault()
  window.addEventListener('beforeunload', stay)
  await Promise.all(Array.from({ length: atOnce }, work))
  window.removeEventListener('beforeunload', stay)
}

async function work() {
  workers++
  for (let next = take(); next; next = take()) {
    const { id, verb } = next
    try {
      await send(verb, id)
      settle(id, { state: 'done' })
    } catch (error) {
      settle(id, { state: 'failed', why: sentence(error) })
    }
  }
  workers--
}

function take(): { id: string; verb: BulkVerb } | undefined {
  const now = bulk.get()
  const item = now?.items.find((i) => i.state === 'waiting')
  if (!now || !item) return undefined
  settle(item.id, { state: 'running' })
  return { id: item.id, verb: now.verb }
}

function settle(id: string, change: Pick<Item, 'state' | 'why'>) {
  bulk.update((b) => b && { ...b, items: b.items.map((i) => (i.id === id ? { id, name: i.name, ...change } : i)) })
}

/** Waits for the operation's end. Too many requests are told to come back later, and do. */
async function send(verb: BulkVerb, id: string): Promise<void> {
  const params = { path: { id }, query: { wait: '60s' } }
  for (;;) {
    try {
      if (verb === 'delete') await body(api.DELETE('/api/v1/vms/{id}', { params }))
      else if (verb === 'start') await body(api.POST('/api/v1/vms/{id}/start', { params }))
      else if (verb === 'restart') await body(api.POST('/api/v1/vms/{id}/restart', { params }))
      else await body(api.POST('/api/v1/vms/{id}/stop', { params, body: { force: verb === 'force_stop' } }))
      return
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 429) throw error
      await new Promise((go) => setTimeout(go, (error.retryAfter ?? 5) * 1000))
    }
  }
}
