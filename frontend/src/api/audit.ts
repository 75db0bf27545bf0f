import { infiniteQueryOptions, keepPreviousData } from '@tanstack/react-query'
import { api, body } from './client.ts'

export type AuditFilter = {
  user?: string | undefined
  action?: string | undefined
  subject?: string | undefined
}

/** Entries of one page of the audit log. */
const auditPage = 100

export const audit = (filter: AuditFilter) =>
  infiniteQueryOptions({
    queryKey: ['audit', filter] as const,
    queryFn: ({ pageParam, signal }) =>
      body(
        api.GET('/api/v1/audit', {
          params: { query: { ...filter, limit: auditPage, cursor: pageParam || undefined } },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_cursor || undefined,
    placeholderData: keepPreviousData,
    staleTime: 0, // no event tells of a new entry
  })

/** Who did what to a VM, newest first, for whoever may see it. */
export const vmChanges = (id: string) =>
  infiniteQueryOptions({
    queryKey: ['vms', 'changes', id] as const,
    queryFn: ({ pageParam, signal }) =>
      body(api.GET('/api/v1/vms/{id}/audit', { params: { path: { id }, query: { cursor: pageParam || undefined } }, signal })),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_cursor || undefined,
    staleTime: 0,
  })
