import { expect, test } from 'vitest'
import { parseLabels, showLabels } from './labels.ts'

test('labels are read as they are shown, whatever stands behind the first sign', () => {
  const labels = { rack: '12', note: 'a=b', empty: '' }
  expect(parseLabels(showLabels(labels).join('\n'))).toEqual({ labels })
  expect(parseLabels(' rack = 12 \n\n')).toEqual({ labels: { rack: '12' } })
  expect(parseLabels('')).toEqual({ labels: {} })
})

test('a line that is no label is named', () => {
  expect(parseLabels('rack=12\nblue')).toEqual({ wrong: 'blue' })
  expect(parseLabels('=12')).toEqual({ wrong: '=12' })
})
