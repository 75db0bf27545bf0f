// What the pages behind the sign-in share.
import { plural } from '../../lib/count.ts'
import { words as core } from './core.ts'

export const words = {
  ...core,
  nav: {
    label: 'Main',
    open: 'Menu',
    compute: 'Compute',
    observe: 'Observe',
    admin: 'Admin',
    dashboard: 'Dashboard',
    vms: 'Virtual machines',
    images: 'Images',
    networks: 'Networks',
    nodes: 'Nodes',
    operations: 'Operations',
    events: 'Events',
    users: 'Users',
    roles: 'Roles',
    tenants: 'Tenants',
    audit: 'Audit log',
    settings: 'Settings',
    signOut: 'Sign out',
    actIn: 'Act in the tenant',
    account: (name: string) => `Account of ${name}`,
    search: 'Search',
  },
  connection: {
    connecting: 'Connecting',
    live: 'Live',
    reconnecting: 'Reconnecting',
    offline: 'Offline',
    from: (time: string) => `data from ${time}`,
    explainLive: 'Changes show by themselves.',
    explainLost: 'Changes come late until the connection is back.',
  },
  operation: {
    tray: 'Operations',
    trayCount: (n: number) =>
      n === 0 ? 'No running operations' : plural(n, 'running operation', 'running operations'),
    all: 'All operations',
    cancel: 'Cancel',
    cancelling: 'Cancelling…',
    retry: 'Undo again',
    retrying: 'Undoing…',
    steps: 'Steps',
    elapsed: (d: string) => `for ${d}`,
    took: (d: string) => `took ${d}`,
    failed: 'failed',
    title: 'Operations',
    subject: 'On',
    caller: 'By',
    kind: 'What',
    begun: 'Begun',
    any: 'Any status',
    open: 'Not ended',
    empty: 'Nothing has been done yet.',
    noMatch: 'No operations match.',
    list: (n: number) => plural(n, 'operation', 'operations'),
    uploads: 'Uploads',
  },
  activity: {
    operations: 'Operations',
    events: 'Events',
    changes: 'Who did what',
    empty: 'Nothing has happened yet.',
    by: (caller: string) => `by ${caller}`,
    audit: 'In the audit log',
  },
  amount: {
    memoryHint: 'For example 512 MiB or 4 GiB.',
    badMemory: 'Write a size like 512 MiB or 4 GiB.',
    badNumber: 'Write a whole number.',
  },
}

/** The words of an operation's kind: "vm.create" is "Create VM". */
export function kindWords(kind: string): string {
  const [thing = '', verb = ''] = kind.split('.', 2)
  const things: Record<string, string> = {
    vm: 'VM',
    image: 'image',
    snapshot: 'snapshot',
    node: 'node',
  }
  return `${verb.charAt(0).toUpperCase()}${verb.slice(1).replaceAll('_', ' ')} ${things[thing] ?? thing}`.trim()
}
