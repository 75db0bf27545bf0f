/** Where this tab acts when that is not the account's own tenant. It is the tab's: two of them may act in two tenants. */
export type Place = { user: string; tenant: string; name: string; role: string }

const key = 'novacron-place'

function read(): Place | undefined {
  try {
    const kept = JSON.parse(sessionStorage.getItem(key) ?? 'null') as Partial<Place> | null
    const { user, tenant, name, role } = kept ?? {}
    return user && tenant && name && role ? { user, tenant, name, role } : undefined
  } catch {
    return undefined // nothing that this wrote, or no storage: the own tenant
  }
}

let now = read()

/** Of this account; another one that signs in here begins at home. */
export const placeOf = (user: string): Place | undefined => (now?.user === user ? now : undefined)

export function forgetPlace() {
  now = undefined
  sessionStorage.removeItem(key)
}

/** Goes to another tenant, or home. The page is loaded anew, so that nothing of the one before is left on it. */
export function goTo(place: Place | undefined) {
  forgetPlace()
  if (place) sessionStorage.setItem(key, JSON.stringify(place))
  location.assign('/dashboard')
}

/** The membership has ended. Every request that was under way is told so; the page is loaded anew for the first. */
export function goHome() {
  if (now) goTo(undefined)
}
