import { expect, test } from 'vitest'
import { tagsOf } from './tags.ts'

test('tags are words with spaces or commas between', () => {
  expect(tagsOf(' Prod, web  db,')).toEqual(['prod', 'web', 'db'])
  expect(tagsOf(' , ')).toEqual([])
})
