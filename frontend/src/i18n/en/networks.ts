import { words as shell } from './shell.ts'

export const words = {
  ...shell,
  networks: {
    title: 'Networks',
    empty: 'A network connects VMs with each other and with the outside.',
    subnet: 'Subnet',
    gateway: 'Gateway',
    dns: 'DNS',
    mtu: 'MTU',
  },
}
