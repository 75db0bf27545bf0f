import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useVirtualizer } from '@tanstack/react-virtual'
import { memo, useCallback, useEffect, useRef, useState } from 'react'
import type { VMSummary } from '../api/client.ts'
import { allVMs, nodes, tenants, vmList } from '../api/queries.ts'
import { useRights } from '../auth/rights.ts'
import { ownerOf, session } from '../auth/session.ts'
import { words } from '../i18n/en/vms.ts'
import { gibibytes, mebibytes } from '../lib/format.ts'
import { useMedia } from '../lib/media.ts'
import { useStore } from '../lib/store.ts'
import { tagsOf } from '../lib/tags.ts'
import { statuses, type VMSearch } from '../router.tsx'
import { Make } from '../ui/make.tsx'
import { PageHead, Ready } from '../ui/page.tsx'
import { State } from '../ui/state.tsx'
import { Time } from '../ui/time.tsx'
import { toastError } from '../ui/toast.tsx'
import { Typed } from '../ui/typed.tsx'
import { Empty, Loaded } from '../ui/views.tsx'
import { BulkBar, BulkPanel } from '../vm/bulk-bar.tsx'

const w = words.vms

export function VMsPage() {
  const search = useSearch({ from: '/shell/vms' })
  const client = useQueryClient()
  const query = useInfiniteQuery(vmList(search))
  const behind = useQuery({
    queryKey: ['vms', 'behind'],
    queryFn: () => false,
    enabled: false,
    initialData: false,
  })
  const filtered = Boolean(search.status || search.node || search.name || search.tag || search.address || search.tenant)
  const { vms: write, place } = useRights()
  const choice = useChoice(search)
  const showNow = () => {
    client.setQueryData(['vms', 'behind'], false)
    void client.resetQueries({ queryKey: ['vms', 'list'] })
  }
  return (
    <>
      <PageHead title={w.title}>
        <Make to="/vms/new" label={w.create} why={write ? undefined : words.common.forbidden('vm.write')} />
      </PageHead>
      <Filters search={search} total={query.data?.pages[0]?.total} />
      <BulkPanel />
      {behind.data ? (
        <button type="button" className="button" onClick={showNow}>
          {w.behind}
        </button>
      ) : null}
      <Loaded query={query} lines={8}>
        {(data) => {
          const rows = data.pages.flatMap((page) => page.items)
          if (rows.length === 0) return <NoVMs filtered={filtered} write={write} />
          const more = query.hasNextPage && !query.isFetchingNextPage ? () => void query.fetchNextPage() : undefined
          const total = data.pages[0]?.total ?? rows.length
          return (
            <>
              {choice.chosen.size > 0 ? (
                <BulkBar chosen={[...choice.chosen.values()]} clear={choice.clear}>
                  {choice.chosen.size < total ? (
                    <button type="button" className="button small" onClick={choice.everything}>
                      {words.bulk.everything(total)}
                    </button>
                  ) : null}
                </BulkBar>
              ) : null}
              <Table rows={rows} total={total} search={search} more={more} choice={write ? choice : undefined} placed={place} />
              <Ready />
            </>
          )
        }}
      </Loaded>
    </>
  )
}

type Choice = {
  chosen: ReadonlyMap<string, VMSummary>
  toggle: (row: VMSummary) => void
  set: (rows: readonly VMSummary[]) => void
  clear: () => void
  everything: () => void
}

/** Which rows are chosen. Another filter is another list: what was chosen in the one before is let go. */
function useChoice(search: VMSearch): Choice {
  const [chosen, setChosen] = useState<ReadonlyMap<string, VMSummary>>(new Map())
  const of = JSON.stringify([search.name, search.tag, search.address, search.status, search.node, search.tenant])
  const [before, setBefore] = useState(of)
  if (of !== before) {
    setBefore(of)
    setChosen(new Map())
  }
  const set = (rows: readonly VMSummary[]) => setChosen(new Map(rows.map((r) => [r.id, r])))
  const toggle = useCallback((row: VMSummary) => {
    setChosen((now) => {
      const next = new Map(now)
      if (!next.delete(row.id)) next.set(row.id, row)
      return next
    })
  }, [])
  const everything = () => void allVMs(search).then(set).catch(toastError)
  return { chosen, set, toggle, clear: () => setChosen(new Map()), everything }
}

function NoVMs({ filtered, write }: { filtered: boolean; write: boolean }) {
  return filtered ? (
    <Empty text={w.noMatch}>
      <Link to="/vms" className="button">
        {words.common.clear}
      </Link>
    </Empty>
  ) : (
    <Empty text={w.empty}>
      {write ? (
        <Link to="/vms/new" className="button primary">
          {w.create}
        </Link>
      ) : null}
    </Empty>
  )
}

const Filters = memo(function Filters({ search, total }: { search: VMSearch; total: number | undefined }) {
  const navigate = useNavigate({ from: '/vms' })
  const { platform } = useRights()
  const machines = useQuery({ ...nodes(), enabled: platform })
  const houses = useHouses()
  const set = (change: Partial<VMSearch>) => void navigate({ search: (now) => ({ ...now, ...change }), replace: true })
  return (
    <div className="filters" role="search">
      <Typed label={w.filter} value={search.name ?? ''} maxLength={100} onTyped={(name) => set({ name: name || undefined })} />
      <Typed label={w.filterTag} value={search.tag ?? ''} maxLength={200} onTyped={(typed) => set({ tag: tagsOf(typed).join(',') || undefined })} />
      <Typed label={w.filterAddress} value={search.address ?? ''} maxLength={100} onTyped={(typed) => set({ address: typed.trim() || undefined })} />
      <select
        className="input"
        aria-label={words.common.status}
        value={search.status ?? ''}
        onChange={(e) => set({ status: statuses.find((s) => s === e.target.value) })}
      >
        <option value="">{w.anyStatus}</option>
        {statuses.map((s) => (
          <option key={s}>{s}</option>
        ))}
      </select>
      {platform ? (
        <select className="input" aria-label={w.node} value={search.node ?? ''} onChange={(e) => set({ node: e.target.value || undefined })}>
          <option value="">{w.anyNode}</option>
          {machines.data?.items.map((n) => (
            <option key={n.id}>{n.name}</option>
          ))}
        </select>
      ) : null}
      {houses.length > 1 ? (
        <select className="input" aria-label={w.tenant} value={search.tenant ?? ''} onChange={(e) => set({ tenant: e.target.value || undefined })}>
          <option value="">{w.anyTenant}</option>
          {houses.map((t) => (
            <option key={t.id} value={t.id}>
              {t.name}
            </option>
          ))}
        </select>
      ) : null}
      <span className="muted" role="status">
        {total === undefined ? '' : w.found(total)}
      </span>
    </div>
  )
})

/** The tenants of somebody who sees the VMs of several. */
function useHouses() {
  const rights = useRights()
  return useQuery({ ...tenants(), enabled: rights.tenants }).data?.items ?? none
}
const none: readonly never[] = []

/** The name of another tenant, by its id: names of VMs are unique in their own only. */
function useStrangers(): (tenant: string) => string | undefined {
  const own = ownerOf(useStore(session))?.tenant
  const houses = useHouses()
  return (tenant) => (tenant === own ? undefined : houses.find((t) => t.id === tenant)?.name)
}

const rowHeight = 36 // px; styles/pages.css says the same
const cardHeight = 76
const overscan = 12 // rows: about one third of a screen

type TableProps = {
  rows: VMSummary[]
  total: number
  search: VMSearch
  more: (() => void) | undefined
  /** Absent: nothing can be chosen, since nothing could be done. */
  choice: Choice | undefined
  /** Whether it is told where a VM runs: only to who may choose that. */
  placed: boolean
}

/** Only the rows in sight are in the document, however many there are. The next page is read before its rows are reached. */
function Table({ rows, total, search, more, choice, placed }: TableProps) {
  const scroller = useRef<HTMLDivElement>(null)
  const cards = useMedia('(max-width: 640px)')
  const stranger = useStrangers()
  const height = cards ? cardHeight : rowHeight
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan,
  })
  const items = virtual.getVirtualItems()
  const last = items[items.length - 1]?.index ?? 0
  // a changed height measures anew
  useEffect(() => virtual.measure(), [height])
  useEffect(() => {
    if (more && last >= rows.length - 50) more()
  }, [last, rows.length, more])
  return (
    <div ref={scroller} className={`grid-table ${choice ? 'choosing' : ''} ${placed ? '' : 'placeless'}`} role="table" aria-label={w.table} aria-rowcount={total + 1} tabIndex={0}>
      <div role="rowgroup" className="grid-head">
        <div role="row" aria-rowindex={1} className="grid-row">
          {choice ? (
            <span role="columnheader" className="choose">
              <input
                type="checkbox"
                aria-label={words.bulk.chooseAll}
                checked={choice.chosen.size >= rows.length && rows.every((r) => choice.chosen.has(r.id))}
                onChange={(e) => (e.target.checked ? choice.set(rows) : choice.clear())}
              />
            </span>
          ) : null}
          <Heads search={search} placed={placed} />
        </div>
      </div>
      <div role="rowgroup" className="grid-body" style={{ height: virtual.getTotalSize() }}>
        {items.map((item) => {
          const row = rows[item.index]
          return row ? (
            <Row
              key={row.id}
              row={row}
              tenant={stranger(row.tenant)}
              index={item.index}
              start={item.start}
              placed={placed}
              chosen={choice?.chosen.has(row.id) ?? false}
              toggle={choice?.toggle}
            />
          ) : null
        })}
      </div>
    </div>
  )
}

/** The columns' names change with the order only, not with what the rows show. */
const Heads = memo(function Heads({ search, placed }: { search: VMSearch; placed: boolean }) {
  return (
    <>
      <Head search={search} field="name" label={words.common.name} />
      <Head search={search} field="status" label={words.common.status} />
      {placed ? <Head search={search} field="node" label={w.node} /> : null}
      <Head label={w.cpus} search={search} />
      <Head label={w.memory} search={search} />
      <Head label={w.disk} search={search} />
      <Head label={w.addresses} search={search} />
      <Head label={w.tags} search={search} />
      <Head search={search} field="created_at" label={words.common.created} />
    </>
  )
})

type Field = 'name' | 'status' | 'node' | 'created_at'

function Head({ search, field, label }: { search: VMSearch; field?: Field; label: string }) {
  const navigate = useNavigate({ from: '/vms' })
  if (!field) return <span role="columnheader">{label}</span>
  const sort = search.sort ?? 'name'
  const direction = sort === field ? 'ascending' : sort === `-${field}` ? 'descending' : undefined
  const next = direction === 'ascending' ? (`-${field}` as const) : field
  return (
    <span role="columnheader" aria-sort={direction}>
      <button
        type="button"
        title={w.sortBy(label)}
        onClick={() =>
          void navigate({
            search: (now) => ({
              ...now,
              sort: next === 'name' ? undefined : next,
            }),
            replace: true,
          })
        }
      >
        {label} {direction === 'ascending' ? '▲' : direction === 'descending' ? '▼' : ''}
      </button>
    </span>
  )
}

/** By itself, since a link costs as much as the rest of its row, and a name seldom changes. */
const Name = memo(function Name({ id, name }: { id: string; name: string }) {
  return (
    <Link to="/vms/$id" params={{ id }} preload={false}>
      {name}
    </Link>
  )
})

type RowProps = {
  row: VMSummary
  /** Where it is another one than one's own. */
  tenant: string | undefined
  index: number
  start: number
  placed: boolean
  chosen: boolean
  toggle: ((row: VMSummary) => void) | undefined
}

const Row = memo(function Row({ row, tenant, index, start, placed, chosen, toggle }: RowProps) {
  return (
    <div role="row" aria-rowindex={index + 2} className={`grid-row ${chosen ? 'chosen' : ''}`} style={{ top: start }}>
      {toggle ? (
        <span role="cell" className="choose">
          <input type="checkbox" aria-label={words.bulk.choose(row.name)} checked={chosen} onChange={() => toggle(row)} />
        </span>
      ) : null}
      <span role="cell" title={row.name} className="at-name">
        <Name id={row.id} name={row.name} />
        {tenant ? <span className="muted"> · {tenant}</span> : null}
      </span>
      <span role="cell" title={row.status_reason || undefined} className="at-status">
        <State word={row.status} />
      </span>
      {placed ? (
        <span role="cell" className="muted at-node">
          {row.node || w.notPlaced}
        </span>
      ) : null}
      <span role="cell" className="figures at-more">
        {row.cpus}
      </span>
      <span role="cell" className="figures at-more">
        {mebibytes(row.memory_mib)}
      </span>
      <span role="cell" className="figures at-more">
        {gibibytes(row.disk_gib)}
      </span>
      <span role="cell" className="mono at-address">
        {row.addresses.join(', ')}
      </span>
      <span role="cell" className="muted at-more" title={row.tags.join(', ') || undefined}>
        {row.tags.join(', ')}
      </span>
      <span role="cell" className="muted at-more">
        <Time at={row.created_at} />
      </span>
    </div>
  )
})
