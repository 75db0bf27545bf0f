import { plural } from '../../lib/count.ts'
import { words as vms } from './vms.ts'
import { words as images } from './images.ts'

export const words = {
  ...vms,
  ...images,
  palette: {
    title: 'Search and commands',
    hint: 'A name, a page, or “stop web-1”',
    found: (n: number) => plural(n, 'result', 'results'),
    none: (typed: string) => `Nothing is called “${typed}”.`,
    act: (verb: string, name: string) => `${verb} ${name}`,
    asked: (verb: string, name: string) => `${verb}: ${name} is asked to.`,
    actions: 'Actions',
    vms: 'Virtual machines',
    pages: 'Pages',
    images: 'Images',
    nodes: 'Nodes',
    networks: 'Networks',
    users: 'Users',
    tenants: 'Tenants',
    appearance: 'Appearance and account',
    theme: { light: 'Light theme', dark: 'Dark theme', system: 'Theme as the machine' },
  },
}
