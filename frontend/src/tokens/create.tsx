import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, body, type Schemas } from '../api/client.ts'
import { roles, tokens } from '../api/queries.ts'
import { session } from '../auth/session.ts'
import { words } from '../i18n/en/settings.ts'
import { useStore } from '../lib/store.ts'
import { Check, Field } from '../ui/field.tsx'
import { FormDialog, faultsOf } from '../ui/form.tsx'

const w = words.tokens
const day = 86_400_000 // ms
/** Days that a token lives; 0: it does not end. The server takes a year at most. */
const lives = [7, 30, 90, 365, 0]
const usual = 90

/** When a token made now ends, as the API takes it. */
export function endAfter(days: number, now: number): string | undefined {
  return days > 0 ? new Date(now + days * day).toISOString() : undefined
}

export function CreateToken({ onClose, onMade }: { onClose: () => void; onMade: (made: Schemas['Token']) => void }) {
  const client = useQueryClient()
  const [some, setSome] = useState(false)
  const [none, setNone] = useState(false)
  const create = useMutation({
    mutationFn: (request: Schemas['CreateToken']) => body(api.POST('/api/v1/tokens', { body: request })),
    onSuccess: (made) => {
      void client.invalidateQueries({ queryKey: tokens().queryKey })
      onMade(made)
    },
  })
  const { at, whole } = faultsOf(create.error, ['name', 'scopes', 'expires_at'])
  const submit = (form: FormData) => {
    const scopes = form.getAll('scope').map(String)
    setNone(some && scopes.length === 0)
    if (some && scopes.length === 0) return
    create.mutate({
      name: String(form.get('name')).trim(),
      expires_at: endAfter(Number(form.get('days')), Date.now()),
      ...(some ? { scopes } : {}),
    })
  }
  const scopeFault = none ? w.choose : at.scopes
  return (
    <FormDialog
      title={w.create}
      submit={w.create}
      busy={create.isPending}
      error={whole}
      onClose={onClose}
      onSubmit={submit}
    >
      <Field label={w.name} hint={w.nameHint} fault={at.name}>
        {(c) => <input {...c} name="name" autoComplete="off" required maxLength={63} />}
      </Field>
      <Field label={w.ends} fault={at.expires_at}>
        {(c) => (
          <select {...c} name="days" defaultValue={usual}>
            {lives.map((days) => (
              <option key={days} value={days}>
                {days > 0 ? w.endsIn(days) : w.endsNever}
              </option>
            ))}
          </select>
        )}
      </Field>
      <fieldset className="stack">
        <legend>{w.scope}</legend>
        {[false, true].map((chosen) => (
          <label key={String(chosen)} className="check">
            <input type="radio" name="scoped" checked={some === chosen} onChange={() => setSome(chosen)} />
            {chosen ? w.some : w.all}
          </label>
        ))}
        {some ? <Actions /> : null}
        {scopeFault ? (
          <span className="fault" role="alert">
            {scopeFault}
          </span>
        ) : null}
      </fieldset>
    </FormDialog>
  )
}

/** What the own role allows, to choose from. */
function Actions() {
  const now = useStore(session)
  const { data } = useQuery(roles())
  const mine = data?.items.find((r) => now.status === 'in' && r.name === now.user.role)
  return (
    <div className="columns">
      {mine?.actions.map((action) => (
        <Check key={action} label={action} name="scope" value={action} />
      ))}
    </div>
  )
}
