import { describe, expect, test } from 'vitest'
import { type Command, find, fit, splitVerb } from './match.ts'

const command = (label: string, group: string, also?: string): Command => ({
  id: label,
  label,
  group,
  ...(also ? { also } : {}),
  run: () => undefined,
})

describe('fit', () => {
  test('the beginning of the text is better than of a word, and that better than the middle', () => {
    const scores = ['web-1', 'my-web', 'cobweb'].map((label) => fit('web', label))
    expect([...scores].sort((a, b) => b - a)).toEqual(scores)
    expect(new Set(scores).size).toBe(3)
  })

  test('every word has to be found, in any order', () => {
    expect(fit('vm cre', 'Create a VM')).toBeGreaterThan(0)
    expect(fit('create image', 'Create a VM')).toBe(0)
  })

  test('takes signs as they are typed', () => {
    expect(fit('.*', 'web-1')).toBe(0)
    expect(fit('(1)', 'copy (1)')).toBeGreaterThan(0)
  })
})

describe('find', () => {
  test('keeps groups together, the one with the best command first', () => {
    const found = find(
      [command('Nodes', 'Pages'), command('node-a', 'Nodes'), command('Dashboard', 'Pages'), command('my node', 'VMs')],
      'node',
      10,
    )
    expect(found.map((c) => c.group)).toEqual(['Pages', 'Nodes', 'VMs'])
  })

  test('finds by other words, after what bears the word itself, and no more than asked for', () => {
    const all = [command('Events', 'Pages', 'history'), command('history-db', 'VMs')]
    expect(find(all, 'history', 10).map((c) => c.label)).toEqual(['history-db', 'Events'])
    expect(find(all, '', 1)).toHaveLength(1)
  })
})

describe('splitVerb', () => {
  const verbs = { start: 'Start', stop: 'Stop', force_stop: 'Force off' }
  test('takes the first word as a verb when something follows it', () => {
    expect(splitVerb('sto web-1', verbs)).toEqual({ verb: 'stop', rest: 'web-1' })
    expect(splitVerb('force web', verbs)).toEqual({ verb: 'force_stop', rest: 'web' })
    expect(splitVerb('stop', verbs)).toEqual({ rest: 'stop' })
    expect(splitVerb('web one', verbs)).toEqual({ rest: 'web one' })
  })
})
