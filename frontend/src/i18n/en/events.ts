import { count } from '../../lib/count.ts'
import { words as shell } from './shell.ts'

export const words = {
  ...shell,
  events: {
    title: 'Events',
    live: 'What happens from now on shows here by itself.',
    pause: 'Pause',
    go: 'Go on',
    filter: 'Kind',
    any: 'All kinds',
    waiting: (n: number) => `${count(n)} new; show them`,
    empty: 'Nothing has happened yet.',
    when: 'When',
    what: 'What',
    on: 'On',
  },
}
