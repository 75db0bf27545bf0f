import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { roles, tenants } from '../api/queries.ts'
import type { User } from '../auth/session.ts'
import { words } from '../i18n/en/users.ts'
import { Field } from '../ui/field.tsx'

const w = words.users

/** Does something to the accounts, and shows them as they are then. */
export function useChange<T, A>(run: (asked: A) => Promise<T>, onDone: (answer: T) => void) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: run,
    onSuccess: (answer) => {
      void client.invalidateQueries({ queryKey: ['users'] })
      onDone(answer)
    },
  })
}

export function RoleField({ now, fault }: { now?: string; fault: string | undefined }) {
  const { data } = useQuery(roles())
  const known = data?.items.map((r) => r.name) ?? (now ? [now] : [])
  return (
    <Field label={w.role} fault={fault}>
      {(c) => (
        <select {...c} name="role" key={known.length} defaultValue={now ?? 'developer'}>
          {known.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      )}
    </Field>
  )
}

export function TenantField({ now, fault }: { now?: string; fault: string | undefined }) {
  const { data } = useQuery(tenants())
  return (
    <Field label={w.tenant} fault={fault}>
      {(c) => (
        <select {...c} name="tenant" key={data?.items.length ?? 0} defaultValue={now ?? ''}>
          {now ? null : <option value="">{w.firstTenant}</option>}
          {data?.items.map((t) => (
            <option key={t.id} value={t.id}>
              {t.name}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}

/** What RoleField and TenantField say. */
export const place = (form: FormData) => ({
  role: String(form.get('role')) as User['role'], // one of those that the server named
  tenant: String(form.get('tenant')) || undefined,
})
