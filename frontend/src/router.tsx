import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router'
import type { AuditFilter } from './api/audit.ts'
import type { VMSummary } from './api/client.ts'
import { takeSecret } from './auth/secret.ts'
import { ensureSession, takeChallenge } from './auth/session.ts'
import { Crashed, NotFound } from './routes/fault.tsx'
import { LoginPage } from './routes/login.tsx'

// What stands in an address may be anything: each field is read with care, and what makes no sense is left out.
const text = (value: unknown) =>
  typeof value === 'string' || typeof value === 'number' ? String(value) || undefined : undefined
const choice = <T extends string>(list: readonly T[], value: unknown) => list.find((each) => each === value)

export const statuses = [
  'running',
  'stopped',
  'creating',
  'starting',
  'stopping',
  'paused',
  'suspended',
  'migrating',
  'error',
  'unknown',
] as const satisfies readonly VMSummary['status'][]
export const sorts = ['name', '-name', 'created_at', '-created_at', 'status', '-status', 'node', '-node'] as const
export const setupSteps = ['nodes', 'image', 'vm'] as const
export type SetupStep = (typeof setupSteps)[number]
export const operationStatuses = [
  'open',
  'queued',
  'running',
  'undoing',
  'succeeded',
  'failed',
  'canceled',
  'stuck',
] as const

/** Where to go after signing in: a path of this console, never another host. */
export function safeNext(value: unknown): string | undefined {
  return typeof value === 'string' && /^\/(?![/\\])/.test(value) && !value.startsWith('/auth/') ? value : undefined
}

/** Sends whoever is not signed in to the sign-in, and back afterwards. A server that does not answer is shown by the page
 * itself; nobody is sent away for it. */
async function signedIn(href: string) {
  const now = await ensureSession()
  if (now.status !== 'in') throw redirect({ to: '/auth/login', search: { next: safeNext(href) } })
  if (now.enrolling) throw redirect({ to: '/auth/enrol', search: { next: safeNext(href) } })
}

const root = createRootRoute({
  notFoundComponent: NotFound,
  errorComponent: Crashed,
})

const login = createRoute({
  getParentRoute: () => root,
  path: '/auth/login',
  validateSearch: (s: Record<string, unknown>): { next?: string; again?: true; refused?: string } => ({
    next: safeNext(s.next),
    again: s.again === true ? true : undefined,
    refused: text(s.refused),
  }),
  beforeLoad: ({ location, search }) => {
    if (takeChallenge(location.hash)) throw redirect({ to: '/auth/2fa', search: { next: search.next }, hash: '', replace: true })
  },
  component: LoginPage, // comes with the first file: most who see it have nothing yet
})
const secondFactor = createRoute({
  getParentRoute: () => root,
  path: '/auth/2fa',
  validateSearch: (s: Record<string, unknown>): { next?: string } => ({
    next: safeNext(s.next),
  }),
  component: lazyRouteComponent(() => import('./routes/second-factor.tsx'), 'SecondFactorPage'),
})
const enrol = createRoute({
  getParentRoute: () => root,
  path: '/auth/enrol',
  validateSearch: (s: Record<string, unknown>): { next?: string } => ({
    next: safeNext(s.next),
  }),
  beforeLoad: () => ensureSession(),
  component: lazyRouteComponent(() => import('./routes/enrol.tsx'), 'EnrolPage'),
})
const register = createRoute({
  getParentRoute: () => root,
  path: '/auth/register',
  beforeLoad: ({ location }) => takeSecret('/auth/register', location.hash),
  component: lazyRouteComponent(() => import('./routes/register.tsx'), 'RegisterPage'),
})
const forgotPassword = createRoute({
  getParentRoute: () => root,
  path: '/auth/forgot-password',
  component: lazyRouteComponent(() => import('./routes/forgot-password.tsx'), 'ForgotPasswordPage'),
})
const resetPassword = createRoute({
  getParentRoute: () => root,
  path: '/auth/reset-password',
  beforeLoad: ({ location }) => takeSecret('/auth/reset-password', location.hash),
  component: lazyRouteComponent(() => import('./routes/reset-password.tsx'), 'ResetPasswordPage'),
})
const confirmEmail = createRoute({
  getParentRoute: () => root,
  path: '/auth/confirm-email',
  beforeLoad: ({ location }) => takeSecret('/auth/confirm-email', location.hash),
  component: lazyRouteComponent(() => import('./routes/verify-email.tsx'), 'ConfirmEmailPage'),
})
const verifyEmail = createRoute({
  getParentRoute: () => root,
  path: '/auth/verify-email',
  beforeLoad: ({ location }) => takeSecret('/auth/verify-email', location.hash),
  component: lazyRouteComponent(() => import('./routes/verify-email.tsx'), 'VerifyEmailPage'),
})
const setup = createRoute({
  getParentRoute: () => root,
  path: '/setup',
  validateSearch: (s: Record<string, unknown>): { step?: SetupStep } => ({ step: choice(setupSteps, s.step) }),
  beforeLoad: async ({ search, location }) => {
    takeSecret('/setup', location.hash)
    if (search.step) await signedIn(location.href)
  },
  component: lazyRouteComponent(() => import('./routes/setup.tsx'), 'SetupPage'),
})

const shell = createRoute({
  getParentRoute: () => root,
  id: 'shell',
  beforeLoad: ({ location }) => signedIn(location.href),
  component: lazyRouteComponent(() => import('./shell/shell.tsx'), 'Shell'),
})
const home = createRoute({
  getParentRoute: () => root,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/dashboard' })
  },
})
const dashboard = createRoute({
  getParentRoute: () => shell,
  path: '/dashboard',
  component: lazyRouteComponent(() => import('./routes/dashboard.tsx'), 'DashboardPage'),
})

export type VMSearch = {
  status?: VMSummary['status']
  node?: string
  name?: string
  /** Several with commas between. */
  tag?: string
  address?: string
  tenant?: string
  sort?: (typeof sorts)[number]
}
const vms = createRoute({
  getParentRoute: () => shell,
  path: '/vms',
  validateSearch: (s: Record<string, unknown>): VMSearch => ({
    status: choice(statuses, s.status),
    node: text(s.node),
    name: text(s.name),
    tag: text(s.tag),
    address: text(s.address),
    tenant: text(s.tenant),
    sort: choice(sorts, s.sort),
  }),
  component: lazyRouteComponent(() => import('./routes/vms.tsx'), 'VMsPage'),
})
const newVM = createRoute({
  getParentRoute: () => shell,
  path: '/vms/new',
  validateSearch: (s: Record<string, unknown>): { image?: string } => ({
    image: text(s.image),
  }),
  component: lazyRouteComponent(() => import('./routes/vm-new.tsx'), 'NewVMPage'),
})
const vm = createRoute({
  getParentRoute: () => shell,
  path: '/vms/$id',
  component: lazyRouteComponent(() => import('./routes/vm.tsx'), 'VMPage'),
})
const vmOverview = createRoute({
  getParentRoute: () => vm,
  path: '/',
  component: lazyRouteComponent(() => import('./routes/vm-overview.tsx'), 'VMOverview'),
})
const vmConsole = createRoute({
  getParentRoute: () => vm,
  path: '/console',
  validateSearch: (s: Record<string, unknown>): { kind?: 'serial' | 'vnc' } => ({
    kind: choice(['serial', 'vnc'] as const, s.kind),
  }),
  component: lazyRouteComponent(() => import('./routes/vm-console.tsx'), 'VMConsole'),
})
const vmSnapshots = createRoute({
  getParentRoute: () => vm,
  path: '/snapshots',
  component: lazyRouteComponent(() => import('./routes/vm-snapshots.tsx'), 'VMSnapshots'),
})
const vmActivity = createRoute({
  getParentRoute: () => vm,
  path: '/activity',
  component: lazyRouteComponent(() => import('./routes/vm-activity.tsx'), 'VMActivity'),
})
const images = createRoute({
  getParentRoute: () => shell,
  path: '/images',
  component: lazyRouteComponent(() => import('./routes/images.tsx'), 'ImagesPage'),
})
const newImage = createRoute({
  getParentRoute: () => shell,
  path: '/images/new',
  validateSearch: (s: Record<string, unknown>): { from?: 'upload' | 'url' | 'catalogue' } => ({
    from: choice(['upload', 'url', 'catalogue'] as const, s.from),
  }),
  component: lazyRouteComponent(() => import('./routes/image-new.tsx'), 'NewImagePage'),
})
const nodes = createRoute({
  getParentRoute: () => shell,
  path: '/nodes',
  component: lazyRouteComponent(() => import('./routes/nodes.tsx'), 'NodesPage'),
})
const node = createRoute({
  getParentRoute: () => shell,
  path: '/nodes/$id',
  component: lazyRouteComponent(() => import('./routes/node.tsx'), 'NodePage'),
})
const networks = createRoute({
  getParentRoute: () => shell,
  path: '/networks',
  component: lazyRouteComponent(() => import('./routes/networks.tsx'), 'NetworksPage'),
})
const events = createRoute({
  getParentRoute: () => shell,
  path: '/events',
  validateSearch: (s: Record<string, unknown>): { kind?: string } => ({
    kind: text(s.kind),
  }),
  component: lazyRouteComponent(() => import('./routes/events.tsx'), 'EventsPage'),
})
const operations = createRoute({
  getParentRoute: () => shell,
  path: '/operations',
  validateSearch: (s: Record<string, unknown>): { status?: (typeof operationStatuses)[number] } => ({
    status: choice(operationStatuses, s.status),
  }),
  component: lazyRouteComponent(() => import('./routes/operations.tsx'), 'OperationsPage'),
})
const users = createRoute({
  getParentRoute: () => shell,
  path: '/admin/users',
  component: lazyRouteComponent(() => import('./routes/users.tsx'), 'UsersPage'),
})
const user = createRoute({
  getParentRoute: () => shell,
  path: '/admin/users/$id',
  component: lazyRouteComponent(() => import('./routes/user.tsx'), 'UserPage'),
})
const tenants = createRoute({
  getParentRoute: () => shell,
  path: '/admin/tenants',
  component: lazyRouteComponent(() => import('./routes/tenants.tsx'), 'TenantsPage'),
})
const roles = createRoute({
  getParentRoute: () => shell,
  path: '/admin/roles',
  component: lazyRouteComponent(() => import('./routes/roles.tsx'), 'RolesPage'),
})
const audit = createRoute({
  getParentRoute: () => shell,
  path: '/admin/audit',
  validateSearch: (s: Record<string, unknown>): AuditFilter => ({
    user: text(s.user),
    action: text(s.action),
    subject: text(s.subject),
  }),
  component: lazyRouteComponent(() => import('./routes/audit.tsx'), 'AuditPage'),
})
const settings = createRoute({
  getParentRoute: () => shell,
  path: '/settings',
  component: lazyRouteComponent(() => import('./routes/settings.tsx'), 'SettingsPage'),
})
const profile = createRoute({
  getParentRoute: () => settings,
  path: '/',
  component: lazyRouteComponent(() => import('./routes/settings-profile.tsx'), 'Profile'),
})
const security = createRoute({
  getParentRoute: () => settings,
  path: '/security',
  validateSearch: (s: Record<string, unknown>): { refused?: string } => ({ refused: text(s.refused) }),
  component: lazyRouteComponent(() => import('./routes/settings-security.tsx'), 'Security'),
})
const sessions = createRoute({
  getParentRoute: () => settings,
  path: '/sessions',
  component: lazyRouteComponent(() => import('./routes/settings-sessions.tsx'), 'Sessions'),
})
const tokens = createRoute({
  getParentRoute: () => settings,
  path: '/tokens',
  component: lazyRouteComponent(() => import('./routes/settings-tokens.tsx'), 'Tokens'),
})
const appearance = createRoute({
  getParentRoute: () => settings,
  path: '/appearance',
  component: lazyRouteComponent(() => import('./routes/settings-appearance.tsx'), 'Appearance'),
})

const tree = root.addChildren([
  login,
  secondFactor,
  enrol,
  register,
  forgotPassword,
  resetPassword,
  verifyEmail,
  confirmEmail,
  setup,
  home,
  shell.addChildren([
    dashboard,
    vms,
    newVM,
    vm.addChildren([vmOverview, vmConsole, vmSnapshots, vmActivity]),
    images,
    newImage,
    nodes,
    node,
    networks,
    events,
    operations,
    users,
    user,
    tenants,
    roles,
    audit,
    settings.addChildren([profile, security, sessions, tokens, appearance]),
  ]),
])

export const router = createRouter({
  routeTree: tree,
  defaultPreload: 'intent',
  scrollRestoration: true,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
