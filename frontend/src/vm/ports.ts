import type { Schemas } from '../api/client.ts'

export type Forward = Schemas['Forward']
type Told = Pick<Forward, 'host_port' | 'guest_port' | 'listen'> & { protocol: string }

/** "2222:22", with an address of the node in front where it listens on one, and "/udp" behind where it is not TCP. */
export const showForward = (f: Told) =>
  `${f.listen ? `${f.listen.includes(':') ? `[${f.listen}]` : f.listen}:` : ''}${f.host_port}:${f.guest_port}${f.protocol === 'udp' ? '/udp' : ''}`

const written = /^(?:(?<v4>[\d.]+):|\[(?<v6>[\da-f:.]+)\]:)?(?<host>\d{1,5}):(?<guest>\d{1,5})(?:\/(?<protocol>tcp|udp))?$/i

/** Reads a forward per line, as showForward writes it. wrong: the first line that is none. */
export function parseForwards(text: string): { forwards: Forward[] } | { wrong: string } {
  const forwards: Forward[] = []
  for (const line of text.split('\n').map((l) => l.trim())) {
    if (!line) continue
    const read = written.exec(line)?.groups
    if (!read) return { wrong: line }
    const listen = read.v4 ?? read.v6
    forwards.push({
      host_port: Number(read.host),
      guest_port: Number(read.guest),
      protocol: read.protocol?.toLowerCase() === 'udp' ? 'udp' : 'tcp',
      ...(listen ? { listen } : {}),
    })
  }
  return { forwards }
}
