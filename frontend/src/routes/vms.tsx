import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useVirtualizer } from '@tanstack/react-virtual'
import { memo, useEffect, useRef, useState } from 'react'
import type { VMSummary } from '../api/client.ts'
import { vmList } from '../api/queries.ts'
import { words } from '../i18n/en.ts'
import { gibibytes, mebibytes } from '../lib/format.ts'
import { useMedia } from '../lib/media.ts'
import { statuses, type VMSearch } from '../router.tsx'
import { PageHead, Ready } from '../ui/page.tsx'
import { State } from '../ui/state.tsx'
import { Time } from '../ui/time.tsx'
import { Empty, Loaded } from '../ui/views.tsx'

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
  const filtered = Boolean(search.status || search.node || search.name)
  const showNow = () => {
    client.setQueryData(['vms', 'behind'], false)
    void client.resetQueries({ queryKey: ['vms', 'list'] })
  }
  return (
    <>
      <PageHead title={w.title}>
        <Link to="/vms/new" className="button primary">
          {w.create}
        </Link>
      </PageHead>
      <Filters search={search} total={query.data?.pages[0]?.total} />
      {behind.data ? (
        <button type="button" className="button" onClick={showNow}>
          {w.behind}
        </button>
      ) : null}
      <Loaded query={query} lines={8}>
        {(data) => {
          const rows = data.pages.flatMap((page) => page.items)
          if (rows.length === 0) return <NoVMs filtered={filtered} />
          const more = query.hasNextPage && !query.isFetchingNextPage ? () => void query.fetchNextPage() : undefined
          return (
            <>
              <Table rows={rows} total={data.pages[0]?.total ?? rows.length} search={search} more={more} />
              <Ready />
            </>
          )
        }}
      </Loaded>
    </>
  )
}

function NoVMs({ filtered }: { filtered: boolean }) {
  return filtered ? (
    <Empty text={w.noMatch}>
      <Link to="/vms" className="button">
        {words.common.clear}
      </Link>
    </Empty>
  ) : (
    <Empty text={w.empty}>
      <Link to="/vms/new" className="button primary">
        {w.create}
      </Link>
    </Empty>
  )
}

const typing = 250 // ms without a key before the server is asked

function Filters({ search, total }: { search: VMSearch; total: number | undefined }) {
  const navigate = useNavigate({ from: '/vms' })
  const set = (change: Partial<VMSearch>) => void navigate({ search: (now) => ({ ...now, ...change }), replace: true })
  const [name, setName] = useState(search.name ?? '')
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const type = (value: string) => {
    setName(value)
    clearTimeout(timer.current)
    timer.current = setTimeout(() => set({ name: value || undefined }), typing)
  }
  useEffect(() => () => clearTimeout(timer.current), [])
  return (
    <div className="filters" role="search">
      <input
        className="input"
        type="search"
        aria-label={w.filter}
        placeholder={w.filter}
        maxLength={100}
        value={name}
        onChange={(e) => type(e.target.value)}
      />
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
      {search.node ? (
        <button type="button" className="button" onClick={() => set({ node: undefined })}>
          {w.node}: {search.node} ✕
        </button>
      ) : null}
      <span className="muted" role="status">
        {total === undefined ? '' : w.found(total)}
      </span>
    </div>
  )
}

const rowHeight = 36 // px; styles/pages.css says the same
const cardHeight = 76
const overscan = 12 // rows: about one third of a screen

type TableProps = {
  rows: VMSummary[]
  total: number
  search: VMSearch
  more: (() => void) | undefined
}

/** Only the rows in sight are in the document, however many there are. The next page is read before its rows are reached. */
function Table({ rows, total, search, more }: TableProps) {
  const scroller = useRef<HTMLDivElement>(null)
  const cards = useMedia('(max-width: 640px)')
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
    <div ref={scroller} className="grid-table" role="table" aria-label={w.table} aria-rowcount={total + 1} tabIndex={0}>
      <div role="rowgroup" className="grid-head">
        <div role="row" aria-rowindex={1} className="grid-row">
          <Head search={search} field="name" label={words.common.name} />
          <Head search={search} field="status" label={words.common.status} />
          <Head search={search} field="node" label={w.node} />
          <Head label={w.cpus} search={search} />
          <Head label={w.memory} search={search} />
          <Head label={w.disk} search={search} />
          <Head label={w.addresses} search={search} />
          <Head search={search} field="created_at" label={words.common.created} />
        </div>
      </div>
      <div role="rowgroup" className="grid-body" style={{ height: virtual.getTotalSize() }}>
        {items.map((item) => {
          const row = rows[item.index]
          return row ? <Row key={row.id} row={row} index={item.index} start={item.start} /> : null
        })}
      </div>
    </div>
  )
}

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

const Row = memo(function Row({ row, index, start }: { row: VMSummary; index: number; start: number }) {
  return (
    <div role="row" aria-rowindex={index + 2} className="grid-row" style={{ transform: `translateY(${start}px)` }}>
      <span role="cell" title={row.name}>
        <Link to="/vms/$id" params={{ id: row.id }} preload={false}>
          {row.name}
        </Link>
      </span>
      <span role="cell" title={row.status_reason || undefined}>
        <State word={row.status} />
      </span>
      <span role="cell" className="muted">
        {row.node || w.notPlaced}
      </span>
      <span role="cell">{row.cpus}</span>
      <span role="cell">{mebibytes(row.memory_mib)}</span>
      <span role="cell">{gibibytes(row.disk_gib)}</span>
      <span role="cell" className="mono">
        {row.addresses.join(', ')}
      </span>
      <span role="cell" className="muted">
        <Time at={row.created_at} />
      </span>
    </div>
  )
})
