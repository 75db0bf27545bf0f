import { expect, test } from 'vitest'
import { tellChanges } from './changes.ts'

test('tells each value that differs, however deep, and leaves out what stayed', () => {
  const detail = {
    username: 'ada',
    before: { name: 'acme', quota: { vms: 3, cpus: 8 } },
    after: { name: 'acme', quota: { vms: 5, cpus: 8 } },
  }
  expect(tellChanges(detail)).toEqual({
    changed: [{ name: 'quota.vms', before: '3', after: '5' }],
    facts: [{ name: 'username', value: 'ada' }],
  })
})

test('a value that came or went stands beside nothing', () => {
  expect(tellChanges({ before: { node: 'n1' }, after: { image: 'tiny' } }).changed).toEqual([
    { name: 'node', before: 'n1', after: '' },
    { name: 'image', before: '', after: 'tiny' },
  ])
})

test('keeps lists whole, and shows what is no object as nothing', () => {
  expect(tellChanges({ networks: ['b', 'a'], empty: null }).facts).toEqual([{ name: 'networks', value: '["b","a"]' }])
  for (const nothing of [null, undefined, 'text', 3, []]) expect(tellChanges(nothing)).toEqual({ changed: [], facts: [] })
})
