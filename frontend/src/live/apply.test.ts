import { type InfiniteData, QueryClient } from '@tanstack/react-query'
import { beforeEach, expect, test, vi } from 'vitest'
import type { Schemas } from '../api/client.ts'
import { createApply } from './apply.ts'

type Page = Schemas['ListVMSummary']
const row = (id: string) => ({ id, name: id, status: 'stopped', status_reason: '', addresses: [] }) as unknown as Page['items'][number]
const key = ['vms', 'list', {}]
const patch = { status: 'running' as const, status_reason: '', addresses: ['10.0.0.2'], operation: '' }

let client: QueryClient
const list = () => client.getQueryData<InfiniteData<Page>>(key)

beforeEach(() => {
  vi.useFakeTimers()
  client = new QueryClient()
  client.setQueryData(key, {
    pages: [
      { items: [row('a'), row('b')], total: 3, next_cursor: 'x' },
      { items: [row('c')], total: 3 },
    ],
    pageParams: ['', 'x'],
  })
  return () => {
    client.clear()
    vi.useRealTimers()
  }
})

test('changes the rows that are named, and keeps every other object as it is', () => {
  const before = list()
  createApply(client)([{ kind: 'vm', id: 'b', patch }])
  const after = list()
  expect(after?.pages[0]?.items[1]).toMatchObject({ id: 'b', status: 'running', addresses: ['10.0.0.2'] })
  expect(after?.pages[0]?.items[0]).toBe(before?.pages[0]?.items[0])
  expect(after?.pages[1]).toBe(before?.pages[1])
})

test('of many changes to one VM the last counts, and what no list has changes no list', () => {
  const apply = createApply(client)
  apply([
    { kind: 'vm', id: 'a', patch },
    { kind: 'vm', id: 'a', patch: { ...patch, status: 'paused' } },
  ])
  expect(list()?.pages[0]?.items[0]?.status).toBe('paused')
  const before = list()
  apply([{ kind: 'vm', id: 'nobody', patch }])
  expect(list()).toBe(before)
})

test('a deleted VM leaves the list, whatever else was told of it in the same moment', () => {
  createApply(client)([
    { kind: 'gone', subject: 'vm/a' },
    { kind: 'vm', id: 'a', patch },
  ])
  expect(list()?.pages[0]?.items.map((r) => r.id)).toEqual(['b'])
  expect(list()?.pages[0]?.total).toBe(2)
})

test('finds a row where it stands after another has left, and after it was changed before', () => {
  const apply = createApply(client)
  apply([{ kind: 'vm', id: 'b', patch }])
  apply([{ kind: 'gone', subject: 'vm/a' }])
  apply([{ kind: 'vm', id: 'b', patch: { ...patch, status: 'paused' } }])
  expect(list()?.pages[0]?.items).toMatchObject([{ id: 'b', status: 'paused' }])
})

test('reads one VM again only where somebody looks at it', () => {
  const invalidate = vi.spyOn(client, 'invalidateQueries')
  client.setQueryData(['vms', 'one', 'a'], { id: 'a' })
  createApply(client)([
    { kind: 'vm', id: 'a', patch },
    { kind: 'vm', id: 'b', patch },
  ])
  vi.advanceTimersByTime(10_000)
  const asked = invalidate.mock.calls.map(([filter]) => filter?.queryKey?.join('/'))
  expect(asked).toContain('vms/one/a')
  expect(asked).not.toContain('vms/one/b')
})

test('what happens now and then is read within a second, and while much happens the reads become fewer', () => {
  const invalidate = vi.spyOn(client, 'invalidateQueries')
  const counts = () => invalidate.mock.calls.filter(([filter]) => filter?.queryKey?.join('/') === 'vms/counts').length
  const apply = createApply(client)
  const change = () => apply([{ kind: 'vm', id: 'a', patch }])
  change()
  vi.advanceTimersByTime(50)
  expect(counts()).toBe(1)
  change() // the second of two within a second is not late either
  vi.advanceTimersByTime(1_000)
  expect(counts()).toBe(2)
  for (let i = 0; i < 600; i++) {
    change()
    vi.advanceTimersByTime(100)
  }
  expect(counts()).toBeLessThan(45)
  vi.advanceTimersByTime(60_000)
  const before = counts()
  change()
  vi.advanceTimersByTime(50)
  expect(counts()).toBe(before + 1)
})

test.each([
  ['few VMs', 3],
  ['so many VMs that counting them takes seven requests', 10_000],
])('while everything changes all the time, a minute of %s takes no hundred requests', (_, total) => {
  let requests = 0
  vi.spyOn(client, 'invalidateQueries').mockImplementation(async (filter) => void (requests += filter?.queryKey?.[1] === 'counts' && total > 200 ? 7 : 1))
  client.setQueryData(['vms', 'counts'], { total, by: {}, moving: 0 })
  client.setQueryData(['vms', 'one', 'a'], { id: 'a' })
  const apply = createApply(client)
  for (let i = 0; i < 600; i++) {
    apply([
      { kind: 'stale', root: 'vms', id: 'a' },
      { kind: 'stale', root: 'operations' },
      { kind: 'stale', root: 'nodes' },
    ])
    vi.advanceTimersByTime(100)
  }
  expect(requests).toBeLessThan(100)
})
