import { useMutation } from '@tanstack/react-query'
import { api, body } from '../api/client.ts'
import { words } from '../i18n/en/nodes.ts'
import { absolute } from '../lib/format.ts'
import { Copy } from '../ui/copy.tsx'
import { ErrorView } from '../ui/views.tsx'

const w = words.nodes

/** What to type on a machine that joins. It holds a secret: it is made when somebody asks, and shown once. */
export function JoinCommand() {
  const make = useMutation({ mutationFn: () => body(api.POST('/api/v1/nodes/join-tokens')) })
  if (!make.data)
    return (
      <div className="stack">
        {make.error ? <ErrorView error={make.error} /> : null}
        <div>
          <button type="button" className="button" aria-disabled={make.isPending} onClick={() => !make.isPending && make.mutate()}>
            {w.makeCommand}
          </button>
        </div>
      </div>
    )
  const command = make.data.command || make.data.token
  return (
    <div className="stack">
      <p>
        {w.joinText} {absolute(Date.parse(make.data.expires_at))}.
      </p>
      <div className="command">
        <code>{command}</code>
        <Copy text={command} />
      </div>
      <p className="muted">{w.joinWait}</p>
    </div>
  )
}
