import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, body } from '../api/client.ts'
import { identity } from '../api/queries.ts'
import { signInWays } from '../auth/post.ts'
import { refusedBy } from '../i18n/en/core.ts'
import { words } from '../i18n/en/settings.ts'
import { State } from '../ui/state.tsx'
import { toastDone } from '../ui/toast.tsx'
import { Loaded } from '../ui/views.tsx'
import { Confirm } from './confirm.tsx'

const w = words.identity

/** The link of the own account to an identity at the organisation's OpenID provider, where there is one. refused: the code that the
 * browser came back with. */
export function IdentityCard({ refused }: { refused: string | undefined }) {
  const { data: ways } = useQuery(signInWays)
  return ways?.oidc ? <Card refused={refused} /> : null
}

function Card({ refused }: { refused: string | undefined }) {
  const query = useQuery(identity())
  const [asked, setAsked] = useState<'link' | 'unlink'>()
  const close = () => setAsked(undefined)
  return (
    <section className="card stack">
      <Loaded query={query}>
        {({ linked }) => (
          <>
            <div className="row">
              <h2>{w.title}</h2>
              <State word={linked ? w.linked : w.unlinked} tone={linked ? 'ok' : 'idle'} />
            </div>
            {refused ? (
              <p className="alert" role="alert">
                {refusedBy(refused)}
              </p>
            ) : null}
            <p>{linked ? w.linkedText : w.text}</p>
            <div>
              <button type="button" className={`button ${linked ? 'danger' : ''}`} onClick={() => setAsked(linked ? 'unlink' : 'link')}>
                {linked ? w.unlink : w.link}
              </button>
            </div>
          </>
        )}
      </Loaded>
      {asked === 'link' ? <Link onClose={close} /> : null}
      {asked === 'unlink' ? <Unlink onClose={close} /> : null}
    </section>
  )
}

function Link({ onClose }: { onClose: () => void }) {
  const link = useMutation({
    mutationFn: (password: string) => body(api.POST('/api/auth/oidc/link', { body: { password } })),
    onSuccess: ({ url }) => location.assign(url), // and back to this page
  })
  return <Confirm title={w.link} text={w.linkText} submit={w.link} of={link} onClose={onClose} />
}

function Unlink({ onClose }: { onClose: () => void }) {
  const client = useQueryClient()
  const unlink = useMutation({
    mutationFn: (password: string) => api.POST('/api/auth/oidc/unlink', { body: { password } }),
    onSuccess: () => {
      toastDone(w.done)
      void client.invalidateQueries({ queryKey: identity().queryKey })
      onClose()
    },
  })
  return <Confirm title={w.unlinkTitle} text={w.unlinkText} submit={w.unlink} danger of={unlink} onClose={onClose} />
}
