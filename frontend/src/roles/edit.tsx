import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, body, type Schemas } from '../api/client.ts'
import { tenants } from '../api/queries.ts'
import { words } from '../i18n/en/roles.ts'
import { Check, Field } from '../ui/field.tsx'
import { FormDialog, faultsOf } from '../ui/form.tsx'
import { toastDone } from '../ui/toast.tsx'
import { Actions } from './actions.tsx'

const w = words.roles
type Role = Schemas['Role']
type Reach = Role['tenants']

/** Makes an own role, or changes one: what it allows, and in whose tenants. */
export function EditRole({ role, onClose }: { role?: Role; onClose: () => void }) {
  const client = useQueryClient()
  const [reach, setReach] = useState<Reach>(role?.tenants ?? 'own')
  const save = useMutation({
    mutationFn: (form: FormData) => send(role, form),
    onSuccess: (saved) => {
      void client.invalidateQueries({ queryKey: ['roles'] })
      toastDone(role ? w.saved(saved.name) : w.made(saved.name))
      onClose()
    },
  })
  const { at, whole } = faultsOf(save.error, ['name', 'description', 'actions', 'tenant_ids'])
  return (
    <FormDialog
      title={role ? w.editNamed(role.name) : w.create}
      submit={role ? words.common.save : w.make}
      busy={save.isPending}
      error={whole}
      onClose={onClose}
      onSubmit={(form) => save.mutate(form)}
    >
      {role ? null : (
        <Field label={w.name} hint={w.nameHint} fault={at.name}>
          {(c) => <input {...c} name="name" autoComplete="off" autoCapitalize="none" spellCheck={false} required maxLength={32} />}
        </Field>
      )}
      <Field label={w.description} fault={at.description}>
        {(c) => <input {...c} name="description" autoComplete="off" maxLength={200} defaultValue={role?.description} />}
      </Field>
      <Actions chosen={role?.actions ?? []} fault={at.actions} />
      <fieldset className="stack tight">
        <legend>{w.reach}</legend>
        {(['own', 'all', 'named'] as const).map((each) => (
          <label key={each} className="check">
            <input type="radio" name="tenants" value={each} checked={reach === each} onChange={() => setReach(each)} />
            {w[each]}
          </label>
        ))}
        {reach === 'named' ? <Tenants chosen={role?.tenant_ids ?? []} fault={at.tenant_ids} /> : null}
      </fieldset>
    </FormDialog>
  )
}

function Tenants({ chosen, fault }: { chosen: readonly string[]; fault: string | undefined }) {
  const { data } = useQuery(tenants())
  return (
    <fieldset className="field">
      <legend>{w.tenants}</legend>
      {data?.items.map((t) => (
        <Check key={t.id} label={t.name} name="tenant_ids" value={t.id} defaultChecked={chosen.includes(t.id)} />
      ))}
      {fault ? (
        <span className="fault" role="alert">
          {fault}
        </span>
      ) : null}
    </fieldset>
  )
}

function send(role: Role | undefined, form: FormData): Promise<Role> {
  const reach = String(form.get('tenants')) as Reach // one of the three
  const what = {
    description: String(form.get('description')),
    actions: form.getAll('action').map(String),
    tenants: reach,
    ...(reach === 'named' ? { tenant_ids: form.getAll('tenant_ids').map(String) } : {}),
  }
  if (!role) return body(api.POST('/api/v1/roles', { body: { name: String(form.get('name')).trim(), ...what } }))
  return body(
    api.PATCH('/api/v1/roles/{id}', {
      params: { path: { id: role.name }, header: { 'If-Match': `"${role.version}"` } },
      body: what,
    }),
  )
}
