import type { Node } from '../api/client.ts'
import { words } from '../i18n/en/dashboard.ts'
import { count } from '../lib/count.ts'
import { bytes, mebibytes } from '../lib/format.ts'
import { capacityOf } from '../nodes/capacity.ts'

const w = words.dashboard

/** What there is, what was promised to VMs, and what is really taken. */
export function CapacityCard({ nodes }: { nodes: Node[] }) {
  if (nodes.length === 0) return <p className="muted">{w.noNodes}</p>
  const { cpus, memoryMiB, diskBytes } = capacityOf(nodes)
  return (
    <div className="capacity">
      <Resource name={w.cpus} total={count(cpus.total)}>
        <Share label={w.allocated} text={count(cpus.allocated)} part={cpus.allocated} whole={cpus.total} shared />
        <Share label={w.load} text={cpus.load.toFixed(1)} part={cpus.load} whole={cpus.total} physical />
      </Resource>
      <Resource name={w.memory} total={mebibytes(memoryMiB.total)}>
        <Share label={w.allocated} text={mebibytes(memoryMiB.allocated)} part={memoryMiB.allocated} whole={memoryMiB.total} />
        <Share label={w.used} text={mebibytes(memoryMiB.used)} part={memoryMiB.used} whole={memoryMiB.total} physical />
      </Resource>
      <Resource name={w.disk} total={bytes(diskBytes.total)}>
        <Share label={w.used} text={bytes(diskBytes.used)} part={diskBytes.used} whole={diskBytes.total} physical />
      </Resource>
    </div>
  )
}

function Resource({ name, total, children }: { name: string; total: string; children: React.ReactNode }) {
  return (
    <section aria-label={name}>
      <h3>
        {name} <span className="muted">{w.inAll(total)}</span>
      </h3>
      {children}
    </section>
  )
}

const tight = 0.9 // share from which on a bar warns

type ShareProps = {
  label: string
  text: string
  part: number
  whole: number
  /** Really taken, not only promised. */
  physical?: boolean
  /** VMs take turns on it: to promise more than there is is usual. */
  shared?: boolean
}

function Share({ label, text, part, whole, physical = false, shared = false }: ShareProps) {
  const share = whole > 0 ? part / whole : 0
  const kind = share >= tight && !shared ? 'over' : physical ? 'physical' : undefined
  // More than there is: the ratio says what a share above 100 % would not.
  const told = shared && part > whole && whole > 0 ? w.shared(text, count(whole), share.toFixed(1)) : text
  return (
    <div className="meter">
      <div>
        <span className="muted">{label}</span>
        <span>
          {told} {told === text ? <span className="muted">{share > 0 && share < 0.01 ? w.tiny : `${Math.round(share * 100)} %`}</span> : null}
        </span>
      </div>
      <progress className={kind} value={Math.min(part, whole)} max={whole || 1} aria-label={`${label}: ${told}`} />
      {part > whole && !physical && !shared ? <span className="muted">{w.over}</span> : null}
    </div>
  )
}
