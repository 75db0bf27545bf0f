import { expect, test } from 'vitest'
import { ago, bytes, duration, mebibytes, parseMebibytes, percent } from './format.ts'

test('bytes have the unit that keeps them short', () => {
  expect([0, 1023, 1024, 1536, 150 * 1024, 2 ** 30, 1.25 * 2 ** 40].map(bytes)).toEqual([
    '0 B',
    '1023 B',
    '1 KiB',
    '1.5 KiB',
    '150 KiB',
    '1 GiB',
    '1.3 TiB',
  ])
  expect(mebibytes(256)).toBe('256 MiB')
})

test('sizes are read as people type them', () => {
  expect(['512', '512M', '2 GiB', '1.5g', '16 GB', '1t', '1024k'].map((s) => parseMebibytes(s))).toEqual([
    512, 512, 2048, 1536, 16384, 1048576, 1,
  ])
  expect(parseMebibytes('2', 'GiB')).toBe(2048)
})

test('what is no size is refused', () => {
  for (const typed of ['', 'lots', '-1', '1.5', '2 G G', '1e3', '10 PiB'])
    expect(parseMebibytes(typed), typed).toBeNull()
})

test('times are told from now', () => {
  const now = Date.UTC(2026, 0, 1)
  expect(ago(now - 1000, now)).toBe('just now')
  expect(ago(now - 300_000, now)).toMatch(/5 min/)
  expect(ago(now - 3 * 86_400_000, now)).toMatch(/3 days/)
})

test('durations and shares are short', () => {
  expect([999, 61_000, 3_700_000].map(duration)).toEqual(['1 s', '1 m 1 s', '1 h 1 m'])
  expect([percent(0.505), percent(2), percent(-1)]).toEqual(['51 %', '100 %', '0 %'])
})
