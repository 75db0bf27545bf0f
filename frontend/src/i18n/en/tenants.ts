import { plural } from '../../lib/count.ts'
import { words as shell } from './shell.ts'

export const words = {
  ...shell,
  tenants: {
    title: 'Tenants',
    create: 'Create a tenant',
    make: 'Create',
    edit: 'Edit',
    delete: 'Delete',
    editNamed: (name: string) => `Edit ${name}`,
    deleteNamed: (name: string) => `Delete ${name}`,
    limits: { vms: 'VMs', cpus: 'vCPUs', memory_mib: 'Memory', disk_gib: 'Disk', addresses: 'Addresses', snapshots: 'Snapshots' },
    inputs: { vms: 'VMs', cpus: 'vCPUs', memory_mib: 'Memory', disk_gib: 'Disk (GiB)', addresses: 'Addresses', snapshots: 'Snapshots' },
    of: (used: string, most: string) => `${used} of ${most}`,
    unlimited: (used: string) => `${used}, no limit`,
    inUse: (used: string) => `${used} in use`,
    none: 'no limit',
    quotaHint:
      'The quota: what all VMs of the tenant may have together. A limit below what is in use refuses only what comes on top.',
    saved: (name: string) => `The tenant ${name} is saved.`,
    second: 'Everybody here needs a second factor',
    secondHint: 'Who has none turns one on at the next request, before anything else.',
    hasSecond: 'second factor required',
    deleteTitle: (name: string) => `Delete the tenant ${name}?`,
    deleteText: 'Only a tenant that has nothing left can be deleted: no VMs, images, networks or accounts.',
    deleteBlocked: (vms: number) => `It still has ${plural(vms, 'VM', 'VMs')}.`,
  },
}
