import { createStore } from './store.ts'

/** Names of things by subject ("vm/ID"), as answers and events told them: operations and events carry ids only. */
export const names = createStore<ReadonlyMap<string, string>>(new Map())

/** Enough for every row that is on a screen; the oldest are forgotten. */
const memory = 5_000

/** Takes subjects and their names. All that is known at one time should come at one time: what is known before is copied. */
export function learn(named: readonly (readonly [subject: string, name: string])[]) {
  const known = names.get()
  const news = named.filter(([subject, name]) => known.get(subject) !== name)
  if (news.length === 0) return
  const next = new Map([...known, ...news])
  for (const key of next.keys()) {
    if (next.size <= memory) break
    next.delete(key)
  }
  names.set(next)
}

export const learnNames = (kind: string, things: readonly { id: string; name: string }[]) =>
  learn(things.map((t) => [`${kind}/${t.id}`, t.name]))
