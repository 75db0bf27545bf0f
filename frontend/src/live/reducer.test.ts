import { describe, expect, test } from 'vitest'
import type { Event } from '../api/client.ts'
import { type Live, nothing, reduce, stampOf } from './reducer.ts'

let at = 0
function event(type: string, subject: string, data: unknown, time?: string): Event {
  at++
  return {
    id: `AAAAAAAA-${at.toString(36)}`,
    type,
    subject,
    tenant: 't',
    time: time ?? `2026-01-01T00:00:${String(at % 60).padStart(2, '0')}.5Z`,
    data,
  }
}

/** A small generator with a seed, so that a failure can be repeated. */
function random(seed: number): () => number {
  let s = seed
  return () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0
    return s / 2 ** 32
  }
}

function shuffled<T>(list: T[], next: () => number): T[] {
  const out = [...list]
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1))
    ;[out[i], out[j]] = [out[j] as T, out[i] as T]
  }
  return out
}

const run = (events: Event[]): Live => events.reduce((live, e) => reduce(live, [e]).live, nothing)

/** What is known in the end, without the order of the maps. VMs that are gone are told by gone alone. */
function outcome(live: Live) {
  const sorted = (m: ReadonlyMap<string, unknown>) => [...m].sort(([a], [b]) => a.localeCompare(b))
  return {
    vms: sorted(live.vms).filter(([id]) => !live.gone.has(`vm/${id}`)),
    operations: sorted(live.operations),
    gone: [...live.gone.keys()].sort(),
  }
}

describe('reduce', () => {
  test('any order of events converges to the same state', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const next = random(seed)
      at = 0
      const events: Event[] = []
      for (let i = 0; i < 40; i++) {
        const vm = `vm/v${Math.floor(next() * 3)}`
        const o = `o${Math.floor(next() * 3)}`
        const what = next()
        if (what < 0.5)
          events.push(
            event('vm.state', vm, {
              status: next() < 0.5 ? 'running' : 'stopped',
              reason: `r${i}`,
            }),
          )
        else if (what < 0.9)
          events.push(
            event('operation.updated', `operation/${o}`, {
              status: 'running',
              progress: next(),
              subject: vm,
            }),
          )
        else if (what < 0.95) events.push(event('vm.deleted', vm, {}))
      }
      events.push(
        event('operation.ended', 'operation/o1', {
          status: 'succeeded',
          subject: 'vm/v1',
        }),
      )
      const want = outcome(run(events))
      expect(outcome(run(shuffled(events, next))), `seed ${seed}, one by one`).toEqual(want)
      expect(outcome(reduce(nothing, shuffled(events, next)).live), `seed ${seed}, in one go`).toEqual(want)
    }
  })

  test('an event that comes twice changes nothing', () => {
    const e = event('vm.state', 'vm/a', { status: 'running' })
    const once = run([e])
    expect(reduce(once, [e])).toEqual({ live: once, changes: [] })
  })

  test('an operation that has ended stays ended', () => {
    const end = event('operation.ended', 'operation/a', { status: 'failed', subject: 'vm/a' }, '2026-01-01T00:00:01Z')
    const late = event(
      'operation.progress',
      'operation/a',
      { status: 'running', subject: 'vm/a' },
      '2026-01-01T00:00:09Z',
    )
    expect(run([end, late]).operations.get('a')?.patch.status).toBe('failed')
  })

  test('a deleted VM is not brought back by old news', () => {
    const { live } = reduce(nothing, [event('vm.deleted', 'vm/a', {})])
    expect(reduce(live, [event('vm.state', 'vm/a', { status: 'running' })]).changes).toEqual([])
  })

  test('remembers no more of each kind than its bound, and the latest', () => {
    const events = Array.from({ length: 5_000 }, (_, i) => event('vm.deleted', `vm/${i}`, {}))
    const { gone } = reduce(nothing, events).live
    expect(gone.size).toBe(2_000)
    expect(gone.has('vm/4999')).toBe(true)
  })

  test('progress makes no list old', () => {
    const { changes } = reduce(
      nothing,
      [event('operation.progress', 'operation/a', { status: 'running', subject: 'vm/a', kind: 'vm.create' })],
    )
    expect(changes.map((c) => c.kind)).toEqual(['operation'])
  })

  test('an unknown kind of event changes nothing', () => {
    expect(reduce(nothing, [event('weather.changed', 'sky/1', {})])).toEqual({
      live: nothing,
      changes: [],
    })
  })
})

describe('stampOf', () => {
  test('orders times with fractions of any length, and cursors of one moment', () => {
    const make = (time: string, id: string): Event => ({
      id,
      type: 'vm.state',
      subject: 'vm/a',
      tenant: '',
      time,
      data: {},
    })
    const ordered = [
      make('2026-01-01T00:00:01Z', 'A-9'),
      make('2026-01-01T00:00:01.05Z', 'A-1'),
      make('2026-01-01T00:00:01.5Z', 'A-z'),
      make('2026-01-01T00:00:01.5Z', 'A-10'),
      make('2026-01-01T00:00:02Z', 'A-2'),
    ].map(stampOf)
    expect([...ordered].sort()).toEqual(ordered)
  })
})
