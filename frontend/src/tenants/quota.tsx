import type { Schemas } from '../api/client.ts'
import { words } from '../i18n/en/tenants.ts'
import { count } from '../lib/count.ts'
import { gibibytes, mebibytes } from '../lib/format.ts'
import { Meter } from '../ui/meter.tsx'

const w = words.tenants
export type Tenant = Schemas['Tenant']
export type Quota = Schemas['Quota']

/** What a quota counts, in the order in which it is shown. */
export const limits = ['vms', 'cpus', 'memory_mib', 'disk_gib', 'addresses', 'snapshots'] as const satisfies readonly (keyof Quota)[]
export type Limit = (typeof limits)[number]

export const showLimit: Record<Limit, (n: number) => string> = {
  vms: count,
  cpus: count,
  memory_mib: mebibytes,
  disk_gib: gibibytes,
  addresses: count,
  snapshots: count,
}

/** What is used beside what may be. */
export function QuotaUse({ tenant: t, limit }: { tenant: Tenant; limit: Limit }) {
  const [used, most] = [t.used[limit], t.quota[limit]]
  const show = showLimit[limit]
  const text = most > 0 ? w.of(show(used), show(most)) : w.unlimited(show(used))
  return <Meter name={w.limits[limit]} part={used} whole={most} text={text} />
}

export function QuotaMeters({ tenant }: { tenant: Tenant }) {
  return (
    <dl className="facts">
      {limits.map((limit) => (
        <div key={limit} className="contents">
          <dt>{w.limits[limit]}</dt>
          <dd>
            <QuotaUse tenant={tenant} limit={limit} />
          </dd>
        </div>
      ))}
    </dl>
  )
}
