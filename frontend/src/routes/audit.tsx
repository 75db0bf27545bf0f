import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { Fragment, useState } from 'react'
import { type AuditFilter, audit } from '../api/audit.ts'
import { api, body, type Schemas } from '../api/client.ts'
import { tenants, users, vmCounts } from '../api/queries.ts'
import { Told } from '../audit/told.tsx'
import { words } from '../i18n/en/audit.ts'
import { absolute } from '../lib/format.ts'
import { SubjectLink } from '../operations/view.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { PageHead, Ready } from '../ui/page.tsx'
import { State } from '../ui/state.tsx'
import { Time } from '../ui/time.tsx'
import { toastError } from '../ui/toast.tsx'
import { Typed } from '../ui/typed.tsx'
import { Empty, Loaded } from '../ui/views.tsx'

const w = words.audit
type Entry = Schemas['AuditEntry']

export function AuditPage() {
  const search = useSearch({ from: '/shell/admin/audit' })
  const query = useInfiniteQuery(audit(search))
  useQuery(vmCounts()) // these tell names
  useQuery(tenants())
  const filtered = Boolean(search.user || search.action || search.subject)
  return (
    <>
      <PageHead title={w.title}>
        <Check />
      </PageHead>
      <Filters search={search} total={query.data?.pages[0]?.total} />
      <Loaded query={query} lines={8}>
        {(data) => {
          const rows = data.pages.flatMap((page) => page.items)
          return (
            <>
              {rows.length === 0 ? <Empty text={filtered ? w.noMatch : w.empty} /> : <Table rows={rows} />}
              {query.hasNextPage ? (
                <p className="after">
                  <button type="button" className="button" onClick={() => void query.fetchNextPage()} aria-disabled={query.isFetchingNextPage}>
                    {w.older}
                  </button>
                </p>
              ) : null}
              <Ready />
            </>
          )
        }}
      </Loaded>
    </>
  )
}

/** Each entry carries the hash of the one before it: the server can tell whether any was changed. */
function Check() {
  const check = useMutation({
    mutationFn: () => body(api.GET('/api/v1/audit/check')),
    onError: toastError,
  })
  return (
    <>
      <span role="status">
        {check.data ? (
          <span className={`state wraps ${check.data.intact ? 'ok' : 'danger'}`} title={check.data.sentence}>
            {check.data.intact ? w.intact(check.data.entries) : check.data.sentence}
          </span>
        ) : null}
      </span>
      <button type="button" className="button" aria-disabled={check.isPending} onClick={() => !check.isPending && check.mutate()}>
        {w.check}
      </button>
    </>
  )
}

function Filters({ search, total }: { search: AuditFilter; total: number | undefined }) {
  const navigate = useNavigate({ from: '/admin/audit' })
  const people = useQuery(users())
  const set = (change: AuditFilter) => void navigate({ search: (now) => ({ ...now, ...change }), replace: true })
  return (
    <div className="filters" role="search">
      <select className="input" aria-label={w.user} value={search.user ?? ''} onChange={(e) => set({ user: e.target.value || undefined })}>
        <option value="">{w.anyUser}</option>
        {people.data?.items.map((u) => (
          <option key={u.id} value={u.id}>
            {u.username}
          </option>
        ))}
      </select>
      <Typed label={w.action} value={search.action ?? ''} maxLength={64} onTyped={(action) => set({ action: action || undefined })} />
      <Typed label={w.subject} value={search.subject ?? ''} maxLength={100} onTyped={(subject) => set({ subject: subject || undefined })} />
      <span className="muted" role="status">
        {total === undefined ? '' : w.found(total)}
      </span>
    </div>
  )
}

function Table({ rows }: { rows: Entry[] }) {
  const [open, setOpen] = useState<number>()
  return (
    <DataTable label={w.title} columns={[w.when, w.who, w.what, w.on, w.result, w.from]} last={words.common.details}>
      {rows.map((e) => (
        <Fragment key={e.id}>
          <tr>
            <td>
              <Time at={e.time} />
            </td>
            <td>{e.actor}</td>
            <td className="mono">{e.action}</td>
            <td>
              <SubjectLink subject={e.subject} />
            </td>
            <td><State word={e.result} tone={e.result === 'ok' ? 'ok' : 'danger'} /></td>
            <td className="mono">{e.address}</td>
            <td className="end">
              <button
                type="button"
                className="button"
                aria-expanded={open === e.id}
                aria-label={w.detailsOf(e.action, e.id)}
                onClick={() => setOpen(open === e.id ? undefined : e.id)}
              >
                {words.common.details}
              </button>
            </td>
          </tr>
          {open === e.id ? (
            <tr>
              <td colSpan={7}>
                <Details entry={e} />
              </td>
            </tr>
          ) : null}
        </Fragment>
      ))}
    </DataTable>
  )
}

function Details({ entry: e }: { entry: Entry }) {
  const facts = [
    { name: w.time, value: absolute(Date.parse(e.time)) },
    { name: w.request, value: e.request_id },
    { name: w.hash, value: e.hash },
  ]
  return <Told detail={e.detail} facts={facts} />
}
