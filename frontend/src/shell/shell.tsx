import { useQueryClient } from '@tanstack/react-query'
import { Link, Outlet, useLocation } from '@tanstack/react-router'
import { lazy, Suspense, useEffect, useState } from 'react'
import { AskedProof } from '../auth/asked.tsx'
import { type Rights, useRights } from '../auth/rights.ts'
import { placeOf } from '../auth/place.ts'
import { ownerOf, session, signOut, type User } from '../auth/session.ts'
import { words } from '../i18n/en/shell.ts'
import { useNow } from '../lib/clock.ts'
import { timeOfDay } from '../lib/format.ts'
import { useStore } from '../lib/store.ts'
import { connection, startLive } from '../live/socket.ts'
import { OperationsTray } from '../operations/tray.tsx'
import { PaletteOpener } from '../palette/opener.tsx'
import { Icon, type IconName } from '../ui/icon.tsx'
import { Menu } from '../ui/menu.tsx'
import { Toasts, toastError } from '../ui/toast.tsx'
import { Places } from './places.tsx'
import { Brand } from '../ui/brand.tsx'

const w = words.nav
const SignInAgain = lazy(async () => ({ default: (await import('../auth/again.tsx')).SignInAgain }))

export function Shell() {
  const client = useQueryClient()
  const now = useStore(session)
  const [open, setOpen] = useState(false)
  const path = useLocation({ select: (l) => l.pathname })
  const signedIn = now.status === 'in'
  useEffect(() => (signedIn ? startLive(client) : undefined), [client, signedIn])
  // the menu of small screens closes when the page changes
  useEffect(() => setOpen(false), [path])
  const rights = useRights()
  const user = ownerOf(now)
  if (!user) return null // on the way to the sign-in
  return (
    <div className="shell">
      <a href="#main" className="button skip">
        {words.common.skip}
      </a>
      <header className="topbar">
        <button
          type="button"
          className="button quiet nav-toggle"
          aria-expanded={open}
          aria-label={w.open}
          onClick={() => setOpen(!open)}
        >
          <Icon name="menu" />
        </button>
        <Link to="/dashboard" className="brand" aria-label={words.product}>
          <Brand />
        </Link>
        <span className="grow" />
        <PaletteOpener />
        <ConnectionChip />
        <OperationsTray />
        <UserMenu user={user} />
      </header>
      <Nav open={open} rights={rights} />
      <main id="main" className="main" tabIndex={-1}>
        <Outlet />
      </main>
      <Toasts />
      <AskedProof />
      {now.status === 'out' ? (
        <Suspense>
          <SignInAgain user={user} why={now.reason === 'stolen' ? words.login.stolen : words.login.expired} />
        </Suspense>
      ) : null}
    </div>
  )
}

function Nav({ open, rights }: { open: boolean; rights: Rights }) {
  return (
    <nav className={`sidenav ${open ? 'open' : ''}`} aria-label={w.label}>
      <ul>
        <NavLink to="/dashboard" icon="dashboard">{w.dashboard}</NavLink>
        <li className="group">{w.compute}</li>
        <NavLink to="/vms" icon="vms">{w.vms}</NavLink>
        <NavLink to="/images" icon="images">{w.images}</NavLink>
        <NavLink to="/networks" icon="networks">{w.networks}</NavLink>
        {rights.platform ? <NavLink to="/nodes" icon="nodes">{w.nodes}</NavLink> : null}
        <li className="group">{w.observe}</li>
        <NavLink to="/operations" icon="operations">{w.operations}</NavLink>
        <NavLink to="/events" icon="events">{w.events}</NavLink>
        <li className="group">{w.admin}</li>
        {rights.accounts ? (
          <>
            <NavLink to="/admin/users" icon="users">{w.users}</NavLink>
            <NavLink to="/admin/roles" icon="roles">{w.roles}</NavLink>
          </>
        ) : null}
        {rights.tenants ? <NavLink to="/admin/tenants" icon="tenants">{w.tenants}</NavLink> : null}
        {rights.audit ? <NavLink to="/admin/audit" icon="audit">{w.audit}</NavLink> : null}
        <NavLink to="/settings" icon="settings">{w.settings}</NavLink>
      </ul>
    </nav>
  )
}

type Place =
  | '/dashboard'
  | '/vms'
  | '/images'
  | '/networks'
  | '/nodes'
  | '/operations'
  | '/events'
  | '/admin/users'
  | '/admin/roles'
  | '/admin/tenants'
  | '/admin/audit'
  | '/settings'

function NavLink({ to, icon, children }: { to: Place; icon: IconName; children: string }) {
  return (
    <li>
      <Link to={to} activeOptions={{ includeSearch: false }} activeProps={{ 'aria-current': 'page' }}>
        <Icon name={icon} />
        {children}
      </Link>
    </li>
  )
}

/** Says how fresh the page is, always. */
function ConnectionChip() {
  const c = useStore(connection)
  useNow()
  const t = words.connection
  const word = t[c.state]
  const age = c.state === 'reconnecting' || c.state === 'offline' ? t.from(timeOfDay(c.since)) : ''
  return (
    <span className={`chip ${c.state}`} role="status" title={c.state === 'live' ? t.explainLive : t.explainLost}>
      {word}
      {age ? <span className="age"> – {age}</span> : null}
    </span>
  )
}

function UserMenu({ user }: { user: User }) {
  const leave = () => void signOut().catch(toastError)
  const place = placeOf(user.id)
  return (
    <Menu
      className="user-menu"
      label={w.account(user.username)}
      quiet
      face={
        <>
          <span className="user-name">{user.username}</span>
          {place ? <span className="acting">{place.name}</span> : null}
        </>
      }
    >
      <Places user={user} />
      <Link to="/settings" className="button quiet">
        {w.settings}
      </Link>
      <button type="button" className="button quiet" onClick={leave}>
        {w.signOut}
      </button>
    </Menu>
  )
}
