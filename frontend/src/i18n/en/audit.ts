import { plural } from '../../lib/count.ts'
import { words as shell } from './shell.ts'

export const words = {
  ...shell,
  audit: {
    title: 'Audit log',
    check: 'Check the chain',
    intact: (entries: number) => `${plural(entries, 'entry', 'entries')}, none changed or removed`,
    user: 'User',
    anyUser: 'Anybody',
    action: 'Action, for example vm.*',
    subject: 'Subject, for example vm/ID',
    found: (n: number) => plural(n, 'entry', 'entries'),
    empty: 'Nothing has been recorded yet.',
    noMatch: 'No entries match.',
    older: 'Show older entries',
    when: 'When',
    who: 'Who',
    what: 'Action',
    on: 'On',
    result: 'Result',
    from: 'From',
    detailsOf: (action: string, id: number) => `Details of ${action}, entry ${id}`,
    changed: 'What was changed',
    field: 'What',
    before: 'Before',
    after: 'After',
    time: 'Time',
    request: 'Request',
    hash: 'Hash',
  },
}
