import { expect, test } from 'vitest'
import type { VMSummary } from '../api/client.ts'
import { bulkVerbs, isRunning, pointless } from './bulk.ts'

const vm = (status: VMSummary['status']) => ({ id: 'vm-1', name: 'web', status }) as VMSummary // what is looked at

test('says beforehand what makes no sense, and leaves the rest to the server', () => {
  expect(pointless('start', vm('running'))).toBe('It is running.')
  expect(pointless('start', vm('stopped'))).toBeUndefined()
  expect(pointless('stop', vm('stopped'))).toBe('It is stopped.')
  expect(pointless('restart', vm('paused'))).toBe('It is paused.')
  for (const verb of bulkVerbs) expect(pointless(verb, vm('creating')) === undefined).toBe(verb === 'delete')
})

test('runs while anything waits or runs', () => {
  const item = { id: '1', name: 'a' }
  expect(isRunning(undefined)).toBe(false)
  expect(isRunning({ verb: 'stop', items: [{ ...item, state: 'done' }, { ...item, state: 'failed' }] })).toBe(false)
  expect(isRunning({ verb: 'stop', items: [{ ...item, state: 'waiting' }] })).toBe(true)
})
