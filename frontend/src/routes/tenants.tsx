import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, body } from '../api/client.ts'
import { tenants } from '../api/queries.ts'
import { words } from '../i18n/en/tenants.ts'
import { mebibytes, parseMebibytes } from '../lib/format.ts'
import { type Limit, limits, type Quota, QuotaUse, showLimit, type Tenant } from '../tenants/quota.tsx'
import { ConfirmDialog } from '../ui/confirm.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Check, Field } from '../ui/field.tsx'
import { FormDialog, faultsOf } from '../ui/form.tsx'
import { PageHead, Ready } from '../ui/page.tsx'
import { Time } from '../ui/time.tsx'
import { toastDone } from '../ui/toast.tsx'
import { Loaded } from '../ui/views.tsx'

const w = words.tenants
type Asked = { what: 'create' } | { what: 'edit' | 'delete'; tenant: Tenant }

export function TenantsPage() {
  const query = useQuery(tenants())
  const [asked, setAsked] = useState<Asked>()
  const close = () => setAsked(undefined)
  return (
    <>
      <PageHead title={w.title}>
        <button type="button" className="button primary" onClick={() => setAsked({ what: 'create' })}>
          {w.create}
        </button>
      </PageHead>
      <Loaded query={query}>
        {(list) => (
          <>
            <Table list={list.items} ask={setAsked} />
            <Ready />
          </>
        )}
      </Loaded>
      {asked?.what === 'create' ? <Edit onClose={close} /> : null}
      {asked?.what === 'edit' ? <Edit tenant={asked.tenant} onClose={close} /> : null}
      {asked?.what === 'delete' ? <Remove tenant={asked.tenant} onClose={close} /> : null}
    </>
  )
}

function Table({ list, ask }: { list: Tenant[]; ask: (asked: Asked) => void }) {
  return (
    <DataTable
      label={w.title}
      columns={[words.common.name, ...limits.map((limit) => w.limits[limit]), words.common.created]}
      last={words.common.more}
    >
      {list.map((t) => (
        <tr key={t.id}>
          <th scope="row">
            {t.name}
            {t.require_second_factor ? <span className="why">{w.hasSecond}</span> : null}
          </th>
          {limits.map((limit) => (
            <td key={limit}>
              <QuotaUse tenant={t} limit={limit} />
            </td>
          ))}
          <td>
            <Time at={t.created_at} />
          </td>
          <td className="end">
            <span className="row">
              <button type="button" className="button" aria-label={w.editNamed(t.name)} onClick={() => ask({ what: 'edit', tenant: t })}>
                {w.edit}
              </button>
              <button
                type="button"
                className="button danger"
                aria-label={w.deleteNamed(t.name)}
                onClick={() => ask({ what: 'delete', tenant: t })}
              >
                {w.delete}
              </button>
            </span>
          </td>
        </tr>
      ))}
    </DataTable>
  )
}

/** A limit out of what was typed; empty is none. null: no number. */
function parseLimit(limit: Limit, typed: string): number | null {
  const text = typed.trim()
  if (text === '') return 0
  if (limit === 'memory_mib') return parseMebibytes(text)
  return /^\d{1,9}$/.test(text) ? Number(text) : null
}

const typed = (limit: Limit, value: number) =>
  value === 0 ? '' : limit === 'memory_mib' ? mebibytes(value) : String(value)

function Edit({ tenant: t, onClose }: { tenant?: Tenant; onClose: () => void }) {
  const client = useQueryClient()
  const [bad, setBad] = useState<Partial<Record<Limit, string>>>({})
  const save = useMutation({
    mutationFn: ({ name, quota, second }: { name: string; quota: Quota; second: boolean }) =>
      t
        ? body(
            api.PATCH('/api/v1/tenants/{id}', {
              params: { path: { id: t.id }, header: { 'If-Match': `"${t.version}"` } },
              body: { ...(name === t.name ? {} : { name }), quota, require_second_factor: second },
            }),
          )
        : body(api.POST('/api/v1/tenants', { body: { name, quota, require_second_factor: second } })),
    onSuccess: (saved) => {
      toastDone(w.saved(saved.name))
      void client.invalidateQueries({ queryKey: ['tenants'] })
      onClose()
    },
  })
  const { at, whole } = faultsOf(save.error, ['name', ...limits])
  const submit = (form: FormData) => {
    const quota: Quota = { vms: 0, cpus: 0, memory_mib: 0, disk_gib: 0, addresses: 0, snapshots: 0 }
    const wrong: typeof bad = {}
    for (const limit of limits) {
      const value = parseLimit(limit, String(form.get(limit)))
      if (value === null) wrong[limit] = limit === 'memory_mib' ? words.amount.badMemory : words.amount.badNumber
      else quota[limit] = value
    }
    setBad(wrong)
    if (Object.keys(wrong).length === 0) save.mutate({ name: String(form.get('name')), quota, second: form.has('second') })
  }
  return (
    <FormDialog
      title={t ? w.editNamed(t.name) : w.create}
      submit={t ? words.common.save : w.make}
      busy={save.isPending}
      error={whole}
      onClose={onClose}
      onSubmit={submit}
    >
      <Field label={words.common.name} fault={at.name}>
        {(c) => <input {...c} name="name" defaultValue={t?.name} autoComplete="off" spellCheck={false} required maxLength={63} />}
      </Field>
      <p className="muted">{w.quotaHint}</p>
      <div className="columns">
        {limits.map((limit) => (
          <Field
            key={limit}
            label={w.inputs[limit]}
            fault={bad[limit] ?? at[limit]}
            hint={t ? w.inUse(showLimit[limit](t.used[limit])) : undefined}
          >
            {(c) => <input {...c} name={limit} defaultValue={t ? typed(limit, t.quota[limit]) : ''} autoComplete="off" placeholder={w.none} />}
          </Field>
        ))}
      </div>
      <Check label={w.second} hint={w.secondHint} name="second" defaultChecked={t?.require_second_factor} />
    </FormDialog>
  )
}

function Remove({ tenant: t, onClose }: { tenant: Tenant; onClose: () => void }) {
  const client = useQueryClient()
  return (
    <ConfirmDialog
      title={w.deleteTitle(t.name)}
      submit={w.delete}
      text={w.deleteText}
      warning={t.used.vms > 0 ? w.deleteBlocked(t.used.vms) : undefined}
      act={() => api.DELETE('/api/v1/tenants/{id}', { params: { path: { id: t.id } } })}
      onDone={() => void client.invalidateQueries({ queryKey: ['tenants'] })}
      onClose={onClose}
    />
  )
}
