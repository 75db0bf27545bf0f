/** Reads a label per line, as name=value. wrong: the first line that is none. */
export function parseLabels(text: string): { labels: Record<string, string> } | { wrong: string } {
  const labels: Record<string, string> = {}
  for (const line of text.split('\n').map((l) => l.trim())) {
    if (!line) continue
    const at = line.indexOf('=')
    if (at < 1) return { wrong: line }
    labels[line.slice(0, at).trim()] = line.slice(at + 1).trim()
  }
  return { labels }
}

export const showLabels = (labels: Record<string, string> | undefined): string[] => Object.entries(labels ?? {}).map(([name, value]) => `${name}=${value}`)
