import type { InfiniteData, QueryClient } from '@tanstack/react-query'
import type { Operation, Schemas, VM, VMSummary } from '../api/client.ts'
import { countRequests, vmCounts } from '../api/queries.ts'
import type { Change, OperationPatch, VMPatch } from './reducer.ts'

type VMPage = Schemas['ListVMSummary']
type Operations = Schemas['ListOperation']

/** Times between two reads of the same thing because of events, in ms. What happens shows within two seconds; only after `many` requests
 * of one minute the reads become fewer, since the API takes 100 of all kinds. */
const pauses = { usual: 500, much: 4_000 }
const many = 30
const minute = 60_000

/** Brings changes into the cache: known values are put where they are shown, the rest is read again, but not too often. */
export function createApply(client: QueryClient) {
  const due = new Map<string, { last: number; timer?: ReturnType<typeof setTimeout> }>()
  let spent: { at: number; requests: number }[] = []

  const pause = (requests: number) => {
    spent = spent.filter((s) => s.at > Date.now() - minute)
    return spent.reduce((sum, s) => sum + s.requests, 0) < many ? pauses.usual : pauses.much * requests
  }

  const reread = (key: readonly unknown[], still: () => boolean = () => true) => {
    const name = JSON.stringify(key)
    const known = due.get(name) ?? { last: 0 }
    due.set(name, known)
    if (known.timer) return
    const requests = key[1] === 'counts' ? countRequests(client.getQueryData(vmCounts().queryKey)) : 1
    const wait = Math.max(50, known.last + pause(requests) - Date.now())
    known.timer = setTimeout(() => {
      known.timer = undefined
      known.last = Date.now()
      if (!still()) return
      spent.push({ at: known.last, requests })
      void client.invalidateQueries({ queryKey: key })
    }, wait)
  }

  /** Only what somebody looks at is read again. Who looks at a VM that is gone is told so; there is nothing to read. */
  const rereadOne = (id: string) => {
    const still = () => client.getQueryData(['gone', `vm/${id}`]) !== true
    for (const key of [
      ['vms', 'one', id],
      ['vms', 'changes', id],
    ])
      if (client.getQueryState(key) && still()) reread(key, still)
  }

  const one = (change: Change) => {
    switch (change.kind) {
      case 'vm':
        rereadOne(change.id) // what can be done now is decided by the server
        reread(['vms', 'counts'])
        return
      case 'gone':
        client.setQueryData(['gone', change.subject], true)
        return
      case 'operation':
        if (!patchOperation(client, change.id, change.patch)) reread(['operations', 'list'])
        return
      case 'stale':
        if (change.root === 'vms') {
          if (change.id) rereadOne(change.id)
          reread(['vms', 'counts'])
          rereadLists(client, reread)
        } else if (change.root === 'snapshots') reread(['snapshots'])
        else if (change.root === 'operations') reread(['operations', 'list'])
        else reread([change.root])
        return
      default:
        change satisfies never
    }
  }
  // All that came for one frame goes into the lists at once: each walk over them costs as much as drawing the rows.
  return (changes: readonly Change[]) => {
    const news: News = new Map()
    for (const change of changes) {
      if (change.kind === 'vm' && news.get(change.id) !== null) news.set(change.id, change.patch)
      if (change.kind === 'gone' && change.subject.startsWith('vm/')) news.set(change.subject.slice('vm/'.length), null)
      one(change)
    }
    if (news.size > 0) changeVMs(client, news)
  }
}

/** What is new of VMs by their ids. null: gone. */
type News = Map<string, VMPatch | null>

/** A list of one page is read again at once; a longer one would be read page by page, so the reader decides when. */
function rereadLists(client: QueryClient, reread: (key: readonly unknown[]) => void) {
  for (const query of client.getQueryCache().findAll({ queryKey: ['vms', 'list'] })) {
    const data = query.state.data as InfiniteData<VMPage> | undefined
    if (!data || data.pages.length <= 1) reread(query.queryKey)
    else client.setQueryData(['vms', 'behind'], true)
  }
}

function changeVMs(client: QueryClient, news: News) {
  client.setQueriesData<InfiniteData<VMPage>>({ queryKey: ['vms', 'list'] }, (data) => data && changeRows(data, news))
  for (const query of client.getQueryCache().findAll({ queryKey: ['vms', 'one'] })) {
    const now = query.state.data as VM | undefined
    const found = now && news.get(now.id)
    if (!found) continue
    const { operation, ...patch } = found
    client.setQueryData<VM>(query.queryKey, { ...now, ...patch, operation_id: operation })
  }
}

/** Where each VM stands in a page's rows. Rows that were made of others without one more or less share theirs. */
const places = new WeakMap<readonly VMSummary[], ReadonlyMap<string, number>>()

function placesIn(rows: readonly VMSummary[]): ReadonlyMap<string, number> {
  const known = places.get(rows) ?? new Map(rows.map((row, i) => [row.id, i]))
  places.set(rows, known)
  return known
}

/** Changes the rows that are named and keeps every other object as it is, so that only those are drawn again. The work grows with
 * what is new and not with the rows: to look at ten thousand, sixty times a second, would cost frames. */
function changeRows(data: InfiniteData<VMPage>, news: News): InfiniteData<VMPage> {
  let changed = false
  const pages = data.pages.map((page) => {
    const at = placesIn(page.items)
    const found = [...news].filter(([id]) => at.has(id))
    if (found.length === 0) return page
    changed = true
    const rows = [...page.items]
    for (const [id, patch] of found) {
      const i = at.get(id) ?? -1
      const row = rows[i]
      if (row && patch) rows[i] = changeRow(row, patch)
    }
    const items = rows.filter((row) => news.get(row.id) !== null)
    if (items.length === rows.length) places.set(items, at)
    return { ...page, items, total: page.total - (rows.length - items.length) }
  })
  return changed ? { ...data, pages } : data
}

const changeRow = (row: VMSummary, { operation: _, ...patch }: VMPatch): VMSummary => ({ ...row, ...patch })

/** Reports whether the operation stands in every list that is held; a new one has to be read. */
function patchOperation(client: QueryClient, id: string, patch: OperationPatch): boolean {
  let known = true
  client.setQueryData<Operation>(['operations', 'one', id], (now) => now && { ...now, ...patch })
  client.setQueriesData<Operations>({ queryKey: ['operations', 'list'] }, (list) => {
    if (!list?.items.some((o) => o.id === id)) {
      known = false
      return list
    }
    return {
      ...list,
      items: list.items.map((o) => (o.id === id ? { ...o, ...patch } : o)),
    }
  })
  return known
}
