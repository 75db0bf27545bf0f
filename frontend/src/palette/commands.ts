import { useQueries, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import type { VM, VMSummary } from '../api/client.ts'
import { images, networks, nodes, tenants, users, vm, vmSearch } from '../api/queries.ts'
import { type Rights, useRights } from '../auth/rights.ts'
import { signOut } from '../auth/session.ts'
import { words } from '../i18n/en/palette.ts'
import { chooseTheme } from '../lib/theme.ts'
import { toastDone, toastError } from '../ui/toast.tsx'
import { type Power, powers, reason, sendPower } from '../vm/power.ts'
import { type Command, splitVerb } from './match.ts'

const w = words.palette
const looked = 3 // VMs whose possible actions are asked for: one request each

const verbs = Object.fromEntries(powers.map((p) => [p, words.verbs[p] ?? p])) as Record<Power, string>

/** Everything that fits what was typed, as commands. VMs are searched by the server, since there may be very many. */
export function useCommands(typed: string): { commands: Command[]; busy: boolean } {
  const go = useNavigate()
  const rights = useRights()
  const { verb, rest } = splitVerb(typed, verbs)
  const found = useQuery({ ...vmSearch(rest), enabled: rest !== '' })
  const few = rest === '' ? [] : (found.data?.items ?? [])
  // What can be done stands only in the whole VM.
  const whole = useQueries({ queries: few.slice(0, verb ? looked : 1).map((v) => vm(v.id)) })
  const to = (href: string) => () => void go({ href })
  const lists = {
    images: useQuery(images()).data?.items ?? [],
    networks: useQuery(networks()).data?.items ?? [],
    nodes: useQuery({ ...nodes(), enabled: rights.platform }).data?.items ?? [],
    users: useQuery({ ...users(), enabled: rights.accounts }).data?.items ?? [],
    tenants: useQuery({ ...tenants(), enabled: rights.tenants }).data?.items ?? [],
  }
  const thing = (group: string, href: string, also: string) => (t: { id: string; name: string }): Command => ({
    id: `${group}/${t.id}`,
    label: t.name,
    group,
    also,
    run: to(href.replace('$id', t.id)),
  })
  const acts = whole.flatMap((q) => (q.data ? actions(q.data, verb, typed) : []))
  return {
    busy: found.isFetching,
    commands: [
      ...acts,
      ...few.map((v) => openVM(v, verb ? typed : '', to)),
      ...pages(rights).map(([label, href, also = '']) => ({ id: href, label, group: w.pages, also, run: to(href) })),
      ...lists.images.map(thing(w.images, '/images', 'image')),
      ...lists.nodes.map(thing(w.nodes, '/nodes/$id', 'node')),
      ...lists.networks.map(thing(w.networks, '/networks', 'network')),
      ...lists.users.map((u) => thing(w.users, '/admin/users/$id', `user ${u.email}`)({ id: u.id, name: u.username })),
      ...lists.tenants.map(thing(w.tenants, '/admin/tenants', 'tenant')),
      ...(['light', 'dark', 'system'] as const).map((t) => ({
        id: `theme/${t}`,
        label: w.theme[t],
        group: w.appearance,
        run: () => chooseTheme(t),
      })),
      { id: 'out', label: words.nav.signOut, group: w.appearance, run: () => void signOut().catch(toastError) },
    ],
  }
}

/** Places, with the words that also mean them. */
function pages(rights: Rights): [string, string, string?][] {
  const n = words.nav
  return [
    [n.dashboard, '/dashboard', 'home'],
    [n.vms, '/vms', 'vm list'],
    [words.vms.create, '/vms/new', 'new'],
    [n.images, '/images'],
    [words.images.add, '/images/new', 'upload import new'],
    [n.networks, '/networks'],
    ...(rights.platform ? [[n.nodes, '/nodes', 'join machine'] as [string, string, string]] : []),
    [n.operations, '/operations', 'tasks'],
    [n.events, '/events', 'history activity'],
    ...(rights.accounts
      ? ([
          [n.users, '/admin/users', 'account invite'],
          [n.roles, '/admin/roles', 'rights permission'],
        ] as [string, string, string][])
      : []),
    ...(rights.tenants ? [[n.tenants, '/admin/tenants', 'quota'] as [string, string, string]] : []),
    ...(rights.audit ? [[n.audit, '/admin/audit', 'who'] as [string, string, string]] : []),
    [n.settings, '/settings', 'theme profile password'],
  ]
}

/** typed keeps a VM in the list that was found for "stop web", where "stop" is no part of its name. */
function openVM(v: VMSummary, typed: string, to: (href: string) => () => void): Command {
  return {
    id: `vm/${v.id}`,
    label: v.name,
    group: w.vms,
    also: `${v.status} ${v.addresses.join(' ')} ${v.id} ${typed}`,
    run: to(`/vms/${v.id}`),
  }
}

function actions(v: VM, verb: Power | undefined, typed: string): Command[] {
  return powers
    .filter((p) => !verb || p === verb)
    .map((p) => ({
      id: `${p}/${v.id}`,
      label: w.act(verbs[p], v.name),
      group: w.actions,
      also: typed,
      why: reason(v, p),
      run: () =>
        void sendPower(v.id, p)
          .then(() => toastDone(w.asked(verbs[p], v.name)))
          .catch(toastError),
    }))
}
