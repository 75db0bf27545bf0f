/** Something that can be gone to or done. */
export type Command = {
  id: string
  /** What is shown, and matched. */
  label: string
  /** The kind of thing, as a heading; commands of one group stand together. */
  group: string
  /** More words that find it. */
  also?: string
  /** Why it cannot be done now. */
  why?: string | undefined
  run: () => void
}

/** How well typed words fit a text: each word has to begin a word of it, or at least occur. 0: it does not fit. */
export function fit(typed: string, label: string, also = ''): number {
  const text = label.toLowerCase()
  const wanted = typed.toLowerCase().split(/\s+/).filter(Boolean)
  let score = 1
  for (const word of wanted) {
    if (text.startsWith(word)) score += 4
    else if (new RegExp(`[^\\p{L}\\p{N}]${escape(word)}`, 'u').test(text)) score += 3
    else if (text.includes(word)) score += 2
    else if (also.toLowerCase().includes(word)) score += 1
    else return 0
  }
  return score
}

const escape = (word: string) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** The commands that fit, best first within their group; groups stand in the order of their best. */
export function find(commands: Command[], typed: string, most: number): Command[] {
  const fitting = commands
    .map((command, place) => ({ command, place, score: fit(typed, command.label, command.also) }))
    .filter((c) => c.score > 0)
    .sort((a, b) => b.score - a.score || a.place - b.place)
    .slice(0, most)
  const groups = [...new Set(fitting.map((c) => c.command.group))]
  return groups.flatMap((group) => fitting.filter((c) => c.command.group === group).map((c) => c.command))
}

/** "stop web" is a verb and what it is for. The verb may be cut short; without one everything is the name. */
export function splitVerb<V extends string>(typed: string, verbs: Record<V, string>): { verb?: V; rest: string } {
  const [first = '', ...more] = typed.trim().split(/\s+/)
  if (first.length < 2 || more.length === 0) return { rest: typed.trim() }
  for (const [verb, word] of Object.entries(verbs) as [V, string][])
    if (word.toLowerCase().startsWith(first.toLowerCase())) return { verb, rest: more.join(' ') }
  return { rest: typed.trim() }
}
