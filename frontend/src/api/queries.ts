import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query'
import { learnNames } from '../lib/names.ts'
import { api, body, type Schemas } from './client.ts'
import { learnFrom } from './names.ts'

/** Remembers the names in a list for what tells ids only. */
async function named<T extends { items: { id: string; name: string }[] }>(
  kind: string,
  answer: Promise<T>,
): Promise<T> {
  const list = await answer
  learnNames(kind, list.items)
  return list
}

// A key begins with the root that live events name; see live/apply.ts.

export type VMFilter = {
  status?: Schemas['VMSummary']['status']
  node?: string
  name?: string
  /** Several with commas between: VMs that have all of them. */
  tag?: string
  /** Or the beginning of one. */
  address?: string
  /** Id; for who sees those of several. */
  tenant?: string
  sort?: string
}

/** VMs of one page of the server; the list asks for the next when somebody scrolls there. */
const vmPage = 200

export const vmList = (filter: VMFilter) =>
  infiniteQueryOptions({
    queryKey: ['vms', 'list', filter] as const,
    queryFn: ({ pageParam, signal }) =>
      named(
        'vm',
        body(
          api.GET('/api/v1/vms', {
            params: {
              query: {
                ...filter,
                limit: vmPage,
                cursor: pageParam || undefined,
              },
            },
            signal,
          }),
        ),
      ),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_cursor || undefined,
    placeholderData: keepPreviousData,
    structuralSharing: false, // live/apply.ts keeps what did not change; comparing thousands of rows for every event costs frames
  })

/** Every VM that matches, for choosing them all: ten reads for 10,000. */
export async function allVMs(filter: VMFilter): Promise<Schemas['VMSummary'][]> {
  const found: Schemas['VMSummary'][] = []
  for (let cursor: string | undefined = ''; cursor !== undefined; ) {
    const page: Schemas['ListVMSummary'] = await body(
      api.GET('/api/v1/vms', { params: { query: { ...filter, limit: 1000, cursor: cursor || undefined } } }),
    )
    found.push(...page.items)
    cursor = page.next_cursor || undefined
  }
  return found
}

/** The first VMs whose name has this in it, for finding one by name. */
export const vmSearch = (name: string) =>
  queryOptions({
    queryKey: ['vms', 'search', name] as const,
    queryFn: ({ signal }) =>
      named('vm', body(api.GET('/api/v1/vms', { params: { query: { name, limit: 8 } }, signal }))),
    placeholderData: keepPreviousData,
  })

export const vm = (id: string) =>
  queryOptions({
    queryKey: ['vms', 'one', id] as const,
    queryFn: async ({ signal }) => {
      const found = await body(api.GET('/api/v1/vms/{id}', { params: { path: { id } }, signal }))
      learnNames('vm', [found]) // its operations carry the id only
      return found
    },
  })

/** The statuses that the dashboard counts by themselves; the others are rare and short. */
export const counted = ['running', 'stopped', 'paused', 'suspended', 'error', 'unknown'] as const
export type VMCounts = {
  total: number
  by: Record<(typeof counted)[number], number>
  moving: number
}

/** How many requests it takes to count the VMs again. */
export const countRequests = (now: VMCounts | undefined) => (now && now.total > vmPage ? 1 + counted.length : 1)

/** How many VMs stand how. One read while they are few; above, one count of the server per status. */
export const vmCounts = () =>
  queryOptions({
    queryKey: ['vms', 'counts'] as const,
    queryFn: async ({ signal }): Promise<VMCounts> => {
      const page = await named(
        'vm',
        body(
          api.GET('/api/v1/vms', {
            params: { query: { limit: vmPage } },
            signal,
          }),
        ),
      )
      const by = Object.fromEntries(counted.map((s) => [s, 0])) as VMCounts['by'] // every key is set here
      if (!page.next_cursor) {
        for (const row of page.items) if (row.status in by) by[row.status as keyof typeof by]++
      } else {
        await Promise.all(
          counted.map(async (status) => {
            by[status] = (
              await body(
                api.GET('/api/v1/vms', {
                  params: { query: { status, limit: 1 } },
                  signal,
                }),
              )
            ).total
          }),
        )
      }
      const still = Object.values(by).reduce((sum, n) => sum + n, 0)
      return { total: page.total, by, moving: Math.max(0, page.total - still) }
    },
  })

export const snapshots = (id: string) =>
  queryOptions({
    queryKey: ['snapshots', id] as const,
    queryFn: ({ signal }) =>
      body(
        api.GET('/api/v1/vms/{id}/snapshots', {
          params: { path: { id } },
          signal,
        }),
      ),
  })

export const images = () =>
  queryOptions({
    queryKey: ['images'] as const,
    queryFn: ({ signal }) =>
      named(
        'image',
        body(
          api.GET('/api/v1/images', {
            params: { query: { limit: 1000 } },
            signal,
          }),
        ),
      ),
  })

export const catalogue = () =>
  queryOptions({
    queryKey: ['catalogue'] as const,
    queryFn: ({ signal }) => body(api.GET('/api/v1/catalogue', { signal })),
    staleTime: Number.POSITIVE_INFINITY, // part of the program
  })

export const nodes = () =>
  queryOptions({
    queryKey: ['nodes', 'list'] as const,
    queryFn: ({ signal }) =>
      named(
        'node',
        body(
          api.GET('/api/v1/nodes', {
            params: { query: { limit: 1000 } },
            signal,
          }),
        ),
      ),
  })

export const node = (id: string) =>
  queryOptions({
    queryKey: ['nodes', 'one', id] as const,
    queryFn: ({ signal }) => body(api.GET('/api/v1/nodes/{id}', { params: { path: { id } }, signal })),
  })

export const networks = () =>
  queryOptions({
    queryKey: ['networks'] as const,
    queryFn: ({ signal }) =>
      body(
        api.GET('/api/v1/networks', {
          params: { query: { limit: 1000 } },
          signal,
        }),
      ),
  })

export type OperationFilter = {
  status?: 'open' | Schemas['Operation']['status']
  subject?: string
  kind?: string
  limit?: number
}

export const operations = (filter: OperationFilter) =>
  queryOptions({
    queryKey: ['operations', 'list', filter] as const,
    queryFn: ({ signal }) =>
      body(
        api.GET('/api/v1/operations', {
          params: { query: { limit: 50, ...filter } },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
  })

export const operation = (id: string) =>
  queryOptions({
    queryKey: ['operations', 'one', id] as const,
    queryFn: ({ signal }) =>
      body(
        api.GET('/api/v1/operations/{id}', {
          params: { path: { id } },
          signal,
        }),
      ),
  })

export const history = (subject: string) =>
  queryOptions({
    queryKey: ['events', subject] as const,
    queryFn: ({ signal }) =>
      body(
        api.GET('/api/v1/events', {
          params: { query: { subject, newest: true, limit: 1000 } },
          signal,
        }),
      ),
  })

/** What happened before this page was opened, newest first. Live events go in front; see live/socket.ts. */
export const before = () =>
  queryOptions({
    queryKey: ['before'] as const,
    queryFn: async ({ signal }) => {
      const page = await body(api.GET('/api/v1/events', { params: { query: { newest: true, limit: 300 } }, signal }))
      learnFrom(page.items)
      return page.items.reverse()
    },
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  })

export const users = () =>
  queryOptions({
    queryKey: ['users'] as const,
    queryFn: async ({ signal }) => {
      const list = await body(api.GET('/api/v1/users', { params: { query: { limit: 1000 } }, signal }))
      learnNames(
        'user',
        list.items.map((u) => ({ id: u.id, name: u.username })),
      )
      return list
    },
  })

/** The invitations that nobody has used yet, newest first. */
export const invites = () =>
  queryOptions({
    queryKey: ['invites'] as const,
    queryFn: ({ signal }) => body(api.GET('/api/v1/invites', { params: { query: { limit: 1000 } }, signal })),
  })

/** Live changes and mutations of ['users'] reach these too. */
export const user = (id: string) =>
  queryOptions({
    queryKey: ['users', 'one', id] as const,
    queryFn: ({ signal }) => body(api.GET('/api/v1/users/{id}', { params: { path: { id } }, signal })),
    staleTime: 0, // no event tells of accounts
  })

/** Where somebody is signed in, for who governs accounts. */
export const userSessions = (id: string) =>
  queryOptions({
    queryKey: ['users', 'sessions', id] as const,
    queryFn: ({ signal }) => body(api.GET('/api/v1/users/{id}/sessions', { params: { path: { id } }, signal })),
    staleTime: 0,
    refetchInterval: 10_000, // ms; they come and go
  })

/** The tenants that somebody may act in, for who governs accounts. */
export const userMemberships = (id: string) =>
  queryOptions({
    queryKey: ['users', 'memberships', id] as const,
    queryFn: ({ signal }) => body(api.GET('/api/v1/users/{id}/memberships', { params: { path: { id } }, signal })),
    staleTime: 0,
  })

/** The tenants that one may act in. */
export const memberships = () =>
  queryOptions({
    queryKey: ['memberships'] as const,
    queryFn: ({ signal }) => body(api.GET('/api/auth/memberships', { signal })),
    staleTime: 0,
  })

export const tenants = () =>
  queryOptions({
    queryKey: ['tenants'] as const,
    queryFn: ({ signal }) =>
      named('tenant', body(api.GET('/api/v1/tenants', { params: { query: { limit: 1000 } }, signal }))),
  })

export const roles = () =>
  queryOptions({
    queryKey: ['roles'] as const,
    queryFn: ({ signal }) => body(api.GET('/api/v1/roles', { signal })),
  })

export const passkeys = () =>
  queryOptions({
    queryKey: ['passkeys'] as const,
    queryFn: ({ signal }) => body(api.GET('/api/auth/passkeys', { signal })),
    staleTime: 0,
  })

/** Whether the second factor is on, and the backup codes that are left. */
export const factor = () =>
  queryOptions({
    queryKey: ['factor'] as const,
    queryFn: ({ signal }) => body(api.GET('/api/auth/2fa/status', { signal })),
    staleTime: 0, // no event tells of the own account
  })

/** Whether the own account signs in at the organisation's OpenID provider. */
export const identity = () =>
  queryOptions({
    queryKey: ['identity'] as const,
    queryFn: ({ signal }) => body(api.GET('/api/auth/oidc/link', { signal })),
    staleTime: 0,
  })

export const me = () =>
  queryOptions({
    queryKey: ['me'] as const,
    queryFn: ({ signal }) => body(api.GET('/api/auth/me', { signal })),
    staleTime: 0,
  })

/** Where one is signed in. */
export const sessions = () =>
  queryOptions({
    queryKey: ['sessions'] as const,
    queryFn: ({ signal }) => body(api.GET('/api/auth/sessions', { signal })),
    staleTime: 0,
    refetchInterval: 10_000, // ms; others come and go
  })

/** One's API tokens. */
export const tokens = () =>
  queryOptions({
    queryKey: ['tokens'] as const,
    queryFn: ({ signal }) => body(api.GET('/api/v1/tokens', { signal })),
    staleTime: 0,
  })
