import type { Node } from '../api/client.ts'

/** What the nodes that are up have together, what of it was promised to VMs, and what is really taken. */
export type Capacity = {
  cpus: { total: number; allocated: number; load: number }
  memoryMiB: { total: number; allocated: number; used: number }
  diskBytes: { total: number; used: number }
}

/** Nodes that are not alive count for nothing: nobody knows what they have now. */
export function capacityOf(nodes: readonly Node[]): Capacity {
  const sum: Capacity = {
    cpus: { total: 0, allocated: 0, load: 0 },
    memoryMiB: { total: 0, allocated: 0, used: 0 },
    diskBytes: { total: 0, used: 0 },
  }
  for (const n of nodes) {
    if (n.state !== 'alive') continue
    sum.cpus.total += n.cpus
    sum.cpus.allocated += n.cpus_allocated
    sum.cpus.load += n.load1
    sum.memoryMiB.total += n.memory_mib
    sum.memoryMiB.allocated += n.memory_allocated_mib
    sum.memoryMiB.used += n.memory_mib - n.memory_free_mib
    sum.diskBytes.total += n.disk_total_bytes
    sum.diskBytes.used += n.disk_total_bytes - n.disk_free_bytes
  }
  return sum
}
