import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, body, type Schemas } from '../api/client.ts'
import { factor, passkeys } from '../api/queries.ts'
import { canPasskey, makePasskey } from '../auth/passkey.ts'
import { words } from '../i18n/en/settings.ts'
import { DataTable } from '../ui/data-table.tsx'
import { Field } from '../ui/field.tsx'
import { FormDialog, faultsOf } from '../ui/form.tsx'
import { Password } from '../ui/password.tsx'
import { Time } from '../ui/time.tsx'
import { toastDone } from '../ui/toast.tsx'
import { Loaded } from '../ui/views.tsx'
import { BackupCodes } from './codes.tsx'
import { Confirm } from './confirm.tsx'

const w = words.passkeys

type Passkey = Schemas['Passkey']

/** The passkeys of the own account. */
export function PasskeysCard() {
  const client = useQueryClient()
  const query = useQuery(passkeys())
  const [asked, setAsked] = useState<'add' | Passkey>()
  const [codes, setCodes] = useState<string[]>()
  const ended = () => {
    setAsked(undefined)
    void client.invalidateQueries({ queryKey: passkeys().queryKey })
    void client.invalidateQueries({ queryKey: factor().queryKey })
  }
  const made = (list: string[] | null | undefined) => {
    setCodes(list ?? undefined)
    ended()
  }
  return (
    <section className="card stack">
      <h2>{w.title}</h2>
      <p>{w.text}</p>
      {codes ? <BackupCodes codes={codes} done={w.done} onDone={() => setCodes(undefined)} /> : null}
      <Loaded query={query}>
        {(list) => (list.items.length > 0 ? <Table list={list.items} onRemove={setAsked} /> : <p className="muted">{w.none}</p>)}
      </Loaded>
      {canPasskey() ? (
        <div>
          <button type="button" className="button" onClick={() => setAsked('add')}>
            {w.add}
          </button>
        </div>
      ) : (
        <p className="muted">{w.cannot}</p>
      )}
      {asked === 'add' ? <Add onClose={() => setAsked(undefined)} onMade={made} /> : null}
      {asked && asked !== 'add' ? <Remove passkey={asked} onClose={() => setAsked(undefined)} onDone={ended} /> : null}
    </section>
  )
}

function Table({ list, onRemove }: { list: Passkey[]; onRemove: (p: Passkey) => void }) {
  return (
    <DataTable label={w.title} columns={[w.name, w.made, w.used]} last={words.common.more}>
      {list.map((p) => (
        <tr key={p.id}>
          <th scope="row">{p.name}</th>
          <td>
            <Time at={p.created_at} />
          </td>
          <td>{p.last_used_at ? <Time at={p.last_used_at} /> : words.common.never}</td>
          <td className="end">
            <button
              type="button"
              className="button danger"
              aria-label={w.removeNamed(p.name)}
              onClick={() => onRemove(p)}
            >
              {w.remove}
            </button>
          </td>
        </tr>
      ))}
    </DataTable>
  )
}

function Add({ onClose, onMade }: { onClose: () => void; onMade: (codes: string[] | null | undefined) => void }) {
  const add = useMutation({
    mutationFn: async ({ name, password }: { name: string; password: string }) => {
      const asked = await body(api.POST('/api/auth/passkeys/register', { body: { password } }))
      const credential = await makePasskey(asked)
      const { challenge_token } = asked
      return body(api.POST('/api/auth/passkeys/register/finish', { body: { challenge_token, name, credential } }))
    },
    onSuccess: (passkey) => {
      toastDone(w.added(passkey.name))
      onMade(passkey.backup_codes)
    },
  })
  const { at, whole } = faultsOf(add.error, ['name', 'password'])
  return (
    <FormDialog
      title={w.add}
      submit={w.add}
      busy={add.isPending}
      error={whole}
      onClose={onClose}
      onSubmit={(form) => add.mutate({ name: String(form.get('name')).trim(), password: String(form.get('password')) })}
    >
      <Field label={w.name} hint={w.nameHint} fault={at.name}>
        {(c) => <input {...c} name="name" required maxLength={63} />}
      </Field>
      <Password label={words.present} name="password" kind="current" fault={at.password} />
    </FormDialog>
  )
}

function Remove({ passkey, onClose, onDone }: { passkey: Passkey; onClose: () => void; onDone: () => void }) {
  const remove = useMutation({
    mutationFn: (password: string) =>
      api.POST('/api/auth/passkeys/{id}/remove', { params: { path: { id: passkey.id } }, body: { password } }),
    onSuccess: () => {
      toastDone(w.removed(passkey.name))
      onDone()
    },
  })
  return (
    <Confirm
      title={w.removeTitle(passkey.name)}
      text={w.removeText}
      submit={w.remove}
      danger
      of={remove}
      onClose={onClose}
    />
  )
}
