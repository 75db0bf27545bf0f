import { Link, Outlet } from '@tanstack/react-router'
import { words as w } from '../i18n/en/settings.ts'
import { PageHead } from '../ui/page.tsx'

export function SettingsPage() {
  return (
    <>
      <PageHead title={w.title} />
      <nav className="tabs" aria-label={w.tabs}>
        <Tab to="/settings">{w.profile.title}</Tab>
        <Tab to="/settings/security">{w.security.title}</Tab>
        <Tab to="/settings/sessions">{w.sessions.title}</Tab>
        <Tab to="/settings/tokens">{w.tokens.title}</Tab>
        <Tab to="/settings/appearance">{w.appearance.title}</Tab>
      </nav>
      <Outlet />
    </>
  )
}

type Place =
  | '/settings'
  | '/settings/security'
  | '/settings/sessions'
  | '/settings/tokens'
  | '/settings/appearance'

function Tab({ to, children }: { to: Place; children: string }) {
  return (
    <Link to={to} activeOptions={{ exact: true }} activeProps={{ 'aria-current': 'page' }}>
      {children}
    </Link>
  )
}
