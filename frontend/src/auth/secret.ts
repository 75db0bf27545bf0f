import { redirect } from '@tanstack/react-router'
import { createStore, useStore } from '../lib/store.ts'

/** The pages that are opened with a one-use secret behind the #, which browsers send to nobody. */
export type SecretPage = '/auth/register' | '/auth/reset-password' | '/auth/verify-email' | '/auth/confirm-email' | '/setup'

/** The secret of the newest link that opened a page; empty: none did, or it was spent. nth: how many opened it so far. */
type Opened = { secret: string; nth: number }

const never: Opened = { secret: '', nth: 0 }
const opened = createStore<Partial<Record<SecretPage, Opened>>>({})

const keep = (page: SecretPage, change: (before: Opened) => Opened) =>
  opened.update((all) => ({ ...all, [page]: change(all[page] ?? never) }))

/** For a route's beforeLoad: keeps the secret in memory and takes it out of the address bar and the history. */
export function takeSecret(page: SecretPage, hash: string) {
  if (!hash) return
  keep(page, ({ nth }) => ({ secret: hash, nth: nth + 1 }))
  throw redirect({ to: page, hash: '', replace: true })
}

/** What the page was opened with. nth as a key begins the page anew with each link. */
export const useSecret = (page: SecretPage): Opened => useStore(opened)[page] ?? never

/** After the secret was spent. */
export const forgetSecret = (page: SecretPage) => keep(page, ({ nth }) => ({ secret: '', nth }))
