import { expect, test } from 'vitest'
import type { Node } from '../api/client.ts'
import { capacityOf } from './capacity.ts'

const node = (state: string) =>
  ({
    state,
    cpus: 8,
    cpus_allocated: 12,
    load1: 0.5,
    memory_mib: 1000,
    memory_allocated_mib: 600,
    memory_free_mib: 700,
    disk_total_bytes: 100,
    disk_free_bytes: 40,
  }) as Node // what is counted

test('adds what is promised and what is taken, of the nodes that are up only', () => {
  expect(capacityOf([node('alive'), node('alive'), node('dead'), node('lost')])).toEqual({
    cpus: { total: 16, allocated: 24, load: 1 },
    memoryMiB: { total: 2000, allocated: 1200, used: 600 },
    diskBytes: { total: 200, used: 120 },
  })
})

test('without nodes there is nothing', () => {
  expect(capacityOf([]).memoryMiB).toEqual({ total: 0, allocated: 0, used: 0 })
})
