import { useQueryClient } from '@tanstack/react-query'
import { api, body } from '../api/client.ts'
import { session, type User } from '../auth/session.ts'
import { words } from '../i18n/en/users.ts'
import { useStore } from '../lib/store.ts'
import { ConfirmDialog } from '../ui/confirm.tsx'
import { Check } from '../ui/field.tsx'
import { FormDialog, faultsOf } from '../ui/form.tsx'
import { toastDone } from '../ui/toast.tsx'
import { place, RoleField, TenantField, useChange } from './fields.tsx'

const w = words.users

/** Why somebody may not do this to the account: it is the own one. */
export function useOwn(u: User): string | undefined {
  const now = useStore(session)
  return now.status === 'in' && now.user.id === u.id ? w.yourself : undefined
}

/** Changes role, tenant and whether the account may sign in. */
export function Edit({ user: u, onClose }: { user: User; onClose: () => void }) {
  const save = useChange(
    (form: FormData) =>
      body(
        api.PATCH('/api/v1/users/{id}', {
          params: { path: { id: u.id }, header: { 'If-Match': `"${u.version}"` } },
          body: { ...place(form), disabled: form.has('disabled') },
        }),
      ),
    (saved) => {
      toastDone(w.saved(saved.username))
      onClose()
    },
  )
  const { at, whole } = faultsOf(save.error, ['role', 'tenant'])
  return (
    <FormDialog
      title={w.editNamed(u.username)}
      submit={words.common.save}
      busy={save.isPending}
      error={whole}
      onClose={onClose}
      onSubmit={(form) => save.mutate(form)}
    >
      <div className="columns">
        <RoleField now={u.role} fault={at.role} />
        <TenantField now={u.tenant} fault={at.tenant} />
      </div>
      <Check label={w.mayNot} hint={w.mayNotHint} name="disabled" defaultChecked={u.disabled} />
    </FormDialog>
  )
}

/** Deletes the account. */
export function Remove({ user: u, onClose }: { user: User; onClose: () => void }) {
  const client = useQueryClient()
  return (
    <ConfirmDialog
      title={w.deleteTitle(u.username)}
      submit={w.delete}
      text={w.deleteText}
      act={() => api.DELETE('/api/v1/users/{id}', { params: { path: { id: u.id } } })}
      onDone={() => void client.invalidateQueries({ queryKey: ['users'] })}
      onClose={onClose}
    />
  )
}
