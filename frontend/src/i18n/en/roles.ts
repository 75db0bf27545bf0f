import { words as shell } from './shell.ts'

export const words = {
  ...shell,
  roles: {
    title: 'Roles',
    role: 'Role',
    own: 'Things of the own tenant',
    all: 'Things of every tenant',
    reach: 'Reaches',
    may: 'May',
    yes: (role: string, action: string) => `${role} may ${action}`,
    no: (role: string, action: string) => `${role} may not ${action}`,
    matrix: 'What each role may do',
  },
}
