import { useQuery } from '@tanstack/react-query'
import { roles } from '../api/queries.ts'
import { useStore } from '../lib/store.ts'
import { ownerOf, session } from './session.ts'

/** What a role lets somebody see at all: places without it are left out. What can be done to a thing the server says. */
export type Rights = {
  /** False until an own role was read: nothing is allowed yet, and nothing refused. */
  known: boolean
  platform: boolean
  /** See the accounts of everybody; governing them is for administrators. */
  accounts: boolean
  tenants: boolean
  audit: boolean
  vms: boolean
  /** Type into VMs. Whoever sees one may watch. */
  consoles: boolean
  /** Say where a VM runs. */
  place: boolean
  images: boolean
  /** Cancel operations, and undo them again. */
  operations: boolean
  /** Add, cordon and remove machines. */
  nodes: boolean
  /** Govern accounts and make what every tenant sees. */
  everyone: boolean
}

function rightsOf(actions: readonly string[] | undefined): Rights {
  const may = (action: string) => actions?.includes(action) ?? false
  return {
    known: actions !== undefined,
    platform: may('platform.read'),
    accounts: may('account.read'),
    tenants: may('tenant.write'),
    audit: may('audit.read'),
    vms: may('vm.write'),
    consoles: may('vm.console'),
    place: may('vm.pick_node'),
    images: may('image.write'),
    operations: may('operation.write'),
    nodes: may('node.write'),
    everyone: may('account.write'),
  }
}

// Of the built-in roles, so that nothing waits for the list; core/auth says the same.
const writes = ['vm.write', 'vm.console', 'image.write', 'operation.write']
const builtIn: Record<string, readonly string[]> = {
  administrator: [...writes, 'platform.read', 'node.write', 'vm.pick_node', 'account.read', 'account.write', 'tenant.write', 'audit.read'],
  operator: [...writes, 'platform.read', 'node.write', 'vm.pick_node'],
  developer: writes,
  viewer: [],
}

/** Of who is signed in. An own role allows nothing until it was read. */
export function useRights(): Rights {
  const role = ownerOf(useStore(session))?.role ?? ''
  const known = builtIn[role]
  const { data, isError } = useQuery({ ...roles(), enabled: role !== '' && known === undefined })
  const own = data || isError ? (data?.items.find((r) => r.name === role)?.actions ?? []) : undefined
  return rightsOf(known ?? own)
}
