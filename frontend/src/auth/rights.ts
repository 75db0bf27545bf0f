import { useStore } from '../lib/store.ts'
import { ownerOf, session, type User } from './session.ts'

/** What a role lets somebody see at all: places without it are left out. What can be done to a thing the server says. */
export type Rights = {
  platform: boolean
  accounts: boolean
  write: boolean
  everyone: boolean
}

export function rightsOf(role: User['role'] | undefined): Rights {
  const administrator = role === 'administrator'
  return {
    platform: administrator || role === 'operator',
    accounts: administrator,
    write: administrator || role === 'operator' || role === 'developer',
    everyone: administrator,
  }
}

export function useRights(): Rights {
  const now = useStore(session)
  return rightsOf(ownerOf(now)?.role)
}
