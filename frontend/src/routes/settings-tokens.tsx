import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, type Schemas } from '../api/client.ts'
import { tokens } from '../api/queries.ts'
import { words } from '../i18n/en/settings.ts'
import { CreateToken } from '../tokens/create.tsx'
import { ConfirmDialog } from '../ui/confirm.tsx'
import { Copy } from '../ui/copy.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Ready } from '../ui/page.tsx'
import { Time } from '../ui/time.tsx'
import { toastDone } from '../ui/toast.tsx'
import { Empty, Loaded } from '../ui/views.tsx'

const w = words.tokens

type Token = Schemas['Token']
type Asked = { what: 'create' } | { what: 'made' | 'revoke'; token: Token }

export function Tokens() {
  const query = useQuery(tokens())
  const [asked, setAsked] = useState<Asked>()
  const close = () => setAsked(undefined)
  return (
    <div className="stack">
      <div className="row apart">
        <p>{w.text}</p>
        <button type="button" className="button primary" onClick={() => setAsked({ what: 'create' })}>
          {w.create}
        </button>
      </div>
      <Loaded query={query}>
        {(list) => (
          <>
            {list.items.length === 0 ? (
              <Empty text={w.empty} />
            ) : (
              <Table list={list.items} onRevoke={(token) => setAsked({ what: 'revoke', token })} />
            )}
            <Ready />
          </>
        )}
      </Loaded>
      {asked?.what === 'create' ? (
        <CreateToken onClose={close} onMade={(token) => setAsked({ what: 'made', token })} />
      ) : null}
      {asked?.what === 'made' ? <Made token={asked.token} onClose={close} /> : null}
      {asked?.what === 'revoke' ? <Revoke token={asked.token} onClose={close} /> : null}
    </div>
  )
}

function Table({ list, onRevoke }: { list: Token[]; onRevoke: (token: Token) => void }) {
  return (
    <DataTable label={w.title} columns={[w.name, w.scope, w.created, w.used, w.ends]} last={words.common.more}>
      {list.map((t) => (
        <tr key={t.id}>
          <th scope="row">{t.name}</th>
          <td title={t.scopes?.join(', ')}>{t.scopes ? w.actions(t.scopes.length) : w.all}</td>
          <td>
            <Time at={t.created_at} />
          </td>
          <td>{t.last_used_at ? <Time at={t.last_used_at} /> : words.common.never}</td>
          <td>{t.expires_at ? <Time at={t.expires_at} /> : w.endsNever}</td>
          <td className="end">
            <button
              type="button"
              className="button danger"
              aria-label={w.revokeNamed(t.name)}
              onClick={() => onRevoke(t)}
            >
              {w.revoke}
            </button>
          </td>
        </tr>
      ))}
    </DataTable>
  )
}

/** The only sight of a token's secret. */
function Made({ token, onClose }: { token: Token; onClose: () => void }) {
  const secret = token.token ?? ''
  const example = `curl -H "Authorization: Bearer $TOKEN" ${location.origin}/api/v1/vms`
  return (
    <Dialog title={w.madeTitle(token.name)} onClose={onClose}>
      <p>{w.madeText}</p>
      <div className="field">
        <span className="label">{w.secret}</span>
        <span className="command">
          <code>{secret}</code>
          <Copy text={secret} />
        </span>
      </div>
      <div className="field">
        <span className="label">{w.example}</span>
        <span className="command">
          <code>{example}</code>
          <Copy text={example} />
        </span>
      </div>
      <div>
        <button type="button" className="button primary" onClick={onClose}>
          {words.common.close}
        </button>
      </div>
    </Dialog>
  )
}

function Revoke({ token, onClose }: { token: Token; onClose: () => void }) {
  const client = useQueryClient()
  return (
    <ConfirmDialog
      title={w.revokeTitle(token.name)}
      submit={w.revoke}
      text={w.revokeText}
      act={() => api.DELETE('/api/v1/tokens/{id}', { params: { path: { id: token.id } } })}
      onDone={() => {
        toastDone(w.revoked(token.name))
        void client.invalidateQueries({ queryKey: tokens().queryKey })
      }}
      onClose={onClose}
    />
  )
}
