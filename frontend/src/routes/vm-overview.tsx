import { useSuspenseQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import type { VM } from '../api/client.ts'
import { vm } from '../api/queries.ts'
import { useRights } from '../auth/rights.ts'
import { words } from '../i18n/en/vm.ts'
import { mebibytes } from '../lib/format.ts'
import { Copy } from '../ui/copy.tsx'
import { Ready } from '../ui/page.tsx'
import { Time } from '../ui/time.tsx'
import { Forwards } from '../vm/forwards.tsx'
import { Hardware } from '../vm/hardware.tsx'

const w = words.vm

export function VMOverview() {
  const { id } = useParams({ from: '/shell/vms/$id/' })
  const { data: v } = useSuspenseQuery(vm(id))
  return (
    <div className="cards">
      <Summary vm={v} />
      <div className="side">
        <Hardware vm={v} />
        <Forwards vm={v} />
      </div>
      <Guest vm={v} />
      <Ready />
    </div>
  )
}

function Summary({ vm: v }: { vm: VM }) {
  const { place: placed } = useRights() // told only to who may choose it
  return (
    <section className="card">
      <h2>{w.overview}</h2>
      <dl className="facts">
        <Fact name={w.cpus}>{v.cpus}</Fact>
        <Fact name={w.memory}>{mebibytes(v.memory_mib)}</Fact>
        {placed ? (
          <Fact name={w.node}>
            {v.node_id ? (
              <Link to="/nodes/$id" params={{ id: v.node_id }}>
                {v.node}
              </Link>
            ) : (
              words.vms.notPlaced
            )}
          </Fact>
        ) : null}
        <Fact name={w.addresses}>
          <span className="mono">{v.addresses.join(', ') || words.common.none}</span>{' '}
          {v.addresses[0] ? <Copy text={v.addresses[0]} /> : null}
        </Fact>
        {v.tags.length > 0 ? (
          <Fact name={words.vms.tags}>
            <span className="row">
              {v.tags.map((tag) => (
                <Link key={tag} to="/vms" search={{ tag }} className="tag">
                  {tag}
                </Link>
              ))}
            </span>
          </Fact>
        ) : null}
        <Fact name={w.firmware}>{v.firmware}</Fact>
        {v.accel ? <Fact name={w.accel}>{v.accel}</Fact> : null}
        <Fact name={w.autostart}>{v.autostart.enabled ? w.yes : w.no}</Fact>
        <Fact name={w.protected}>{v.protected ? w.yes : w.no}</Fact>
        <Fact name={words.common.created}>
          <Time at={v.created_at} />
        </Fact>
        {v.description ? <Fact name={w.description}>{v.description}</Fact> : null}
        <Fact name={w.id}>
          <span className="mono">{v.id}</span> <Copy text={v.id} />
        </Fact>
      </dl>
    </section>
  )
}

function Guest({ vm: v }: { vm: VM }) {
  return (
    <section className="card">
      <h2>{w.agent}</h2>
      <dl className="facts">
        <Fact name={w.agent}>{v.guest_agent ? w.agentYes : w.agentNo}</Fact>
        {v.hostname ? <Fact name={w.hostname}>{v.hostname}</Fact> : null}
        {v.ssh ? (
          <Fact name={w.ssh}>
            <span className="mono">{v.ssh}</span>
          </Fact>
        ) : null}
      </dl>
    </section>
  )
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  )
}
