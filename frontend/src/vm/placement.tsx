import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { api, body, type Schemas } from '../api/client.ts'
import { words } from '../i18n/en/vms.ts'
import { Mark } from '../ui/state.tsx'
import { Loaded } from '../ui/views.tsx'

const w = words.create
const rest = 400 // ms without a change before the server is asked
const few = 6 // nodes that are shown; more say nothing that these do not
const bounds = { cpus: 512, memory: [16, 16_777_216], disk: 65_536 } as const // of the API

type Request = Schemas['CreateVM']
type Place = Schemas['PlacementNode']

/** What a place depends on, or nothing while what was typed cannot be a VM. The name stands in the server's sentences. */
function askOf(r: Request | undefined): Request | undefined {
  if (!r) return undefined
  const { image, cpus = 1, memory_mib, disk_gib = 0, networks, node } = r
  if (!image && disk_gib === 0) return undefined
  if (cpus > bounds.cpus || memory_mib < bounds.memory[0] || memory_mib > bounds.memory[1] || disk_gib > bounds.disk) return undefined
  return { name: 'this-vm', cpus, memory_mib, disk_gib, ...(image ? { image } : {}), ...(networks ? { networks } : {}), ...(node ? { node } : {}) }
}

/** Where the VM would run if it were made now, what would stay free there, and why the other nodes do not do. */
export function Placement({ request }: { request: Request | undefined }) {
  const wanted = JSON.stringify(askOf(request) ?? null)
  const [asked, setAsked] = useState('null')
  useEffect(() => {
    const timer = setTimeout(() => setAsked(wanted), rest)
    return () => clearTimeout(timer)
  }, [wanted])
  const query = useQuery({
    queryKey: ['placement', asked] as const,
    queryFn: ({ signal }) => body(api.POST('/api/v1/placements', { body: JSON.parse(asked) as Request, signal })), // written above
    enabled: asked !== 'null',
    placeholderData: keepPreviousData,
    staleTime: 5_000, // ms; nodes fill up meanwhile
    retry: false,
  })
  if (asked === 'null' && !query.data) return <p className="muted">{w.placeLater}</p>
  return (
    <Loaded query={query} lines={2}>
      {(p) => (
        <>
          {p.reason ? <p className="alert warn">{p.reason}</p> : null}
          <ul className="list" aria-label={w.where}>
            {p.nodes.slice(0, few).map((n, i) => (
              <Item key={n.id} node={n} best={i === 0 && n.fits} />
            ))}
          </ul>
          {p.nodes.length > few ? <p className="muted">{w.placeMore(p.nodes.length - few)}</p> : null}
        </>
      )}
    </Loaded>
  )
}

function Item({ node: n, best }: { node: Place; best: boolean }) {
  return (
    <li>
      <span>
        <Mark tone={n.fits ? 'ok' : 'idle'} word={n.fits ? w.fits : w.fitsNot} />{' '}
        <Link to="/nodes/$id" params={{ id: n.id }}>
          {n.name}
        </Link>
        <span className="why">{n.reason}</span>
      </span>
      {best ? <strong>{w.best}</strong> : null}
    </li>
  )
}
