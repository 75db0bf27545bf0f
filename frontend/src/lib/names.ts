import { createStore } from './store.ts'

/** Names of things by subject ("vm/ID"), as answers and events told them: operations and events carry ids only. */
export const names = createStore<ReadonlyMap<string, string>>(new Map())

/** Enough for every row that is on a screen; the oldest are forgotten. */
const memory = 5_000

export function learnNames(kind: string, things: readonly { id: string; name: string }[]) {
  const known = names.get()
  const news = things.filter((t) => known.get(`${kind}/${t.id}`) !== t.name)
  if (news.length === 0) return
  const next = new Map(known)
  for (const t of news) next.set(`${kind}/${t.id}`, t.name)
  for (const key of next.keys()) {
    if (next.size <= memory) break
    next.delete(key)
  }
  names.set(next)
}
