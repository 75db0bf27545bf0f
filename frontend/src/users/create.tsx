import { useMutation, useQueryClient } from '@tanstack/react-query'
import { api, body, type Schemas } from '../api/client.ts'
import { invites } from '../api/queries.ts'
import { words } from '../i18n/en/users.ts'
import { absolute } from '../lib/format.ts'
import { Copy } from '../ui/copy.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { FormDialog, faultsOf } from '../ui/form.tsx'
import { toastDone } from '../ui/toast.tsx'
import { place, RoleField, TenantField, useChange } from './fields.tsx'

const w = words.users

/** Makes an account with a first password. */
export function Create({ onClose }: { onClose: () => void }) {
  const create = useChange(
    (request: Schemas['CreateUser']) => body(api.POST('/api/v1/users', { body: request })),
    (u) => {
      toastDone(w.made(u.username))
      onClose()
    },
  )
  const { at, whole } = faultsOf(create.error, ['username', 'email', 'password', 'role', 'tenant'])
  const submit = (form: FormData) =>
    create.mutate({
      username: String(form.get('username')),
      email: String(form.get('email')),
      password: String(form.get('password')),
      ...place(form),
    })
  return (
    <FormDialog title={w.create} submit={w.submit} busy={create.isPending} error={whole} onClose={onClose} onSubmit={submit}>
      <Field label={w.username} fault={at.username}>
        {(c) => <input {...c} name="username" autoComplete="off" autoCapitalize="none" spellCheck={false} required maxLength={64} />}
      </Field>
      <Field label={w.email} fault={at.email}>
        {(c) => <input {...c} name="email" type="email" autoComplete="off" required maxLength={254} />}
      </Field>
      <div className="columns">
        <RoleField fault={at.role} />
        <TenantField fault={at.tenant} />
      </div>
      <Field label={w.password} hint={w.hint} fault={at.password}>
        {(c) => <input {...c} name="password" type="password" autoComplete="new-password" required minLength={12} maxLength={1024} />}
      </Field>
    </FormDialog>
  )
}

/** Makes a link with which somebody makes an account. */
export function Invite({ onClose }: { onClose: () => void }) {
  const client = useQueryClient()
  const invite = useMutation({
    mutationFn: (request: Schemas['CreateInvite']) => body(api.POST('/api/v1/invites', { body: request })),
    onSuccess: () => void client.invalidateQueries({ queryKey: invites().queryKey }),
  })
  const { at, whole } = faultsOf(invite.error, ['email', 'role', 'tenant'])
  const made = invite.data
  if (made)
    return (
      <Dialog title={w.invite} onClose={onClose}>
        <p>{w.inviteLink(made.email, absolute(Date.parse(made.expires_at)))}</p>
        <div className="command">
          <code>{made.url}</code>
          <Copy text={made.url} />
        </div>
        <div>
          <button type="button" className="button" onClick={onClose}>
            {words.common.close}
          </button>
        </div>
      </Dialog>
    )
  return (
    <FormDialog
      title={w.invite}
      submit={w.inviteMake}
      busy={invite.isPending}
      error={whole}
      onClose={onClose}
      onSubmit={(form) => invite.mutate({ email: String(form.get('email')), ...place(form) })}
    >
      <p className="muted">{w.inviteText}</p>
      <Field label={w.email} fault={at.email}>
        {(c) => <input {...c} name="email" type="email" autoComplete="off" required maxLength={254} />}
      </Field>
      <div className="columns">
        <RoleField fault={at.role} />
        <TenantField fault={at.tenant} />
      </div>
    </FormDialog>
  )
}
