import { api, body } from '../api/client.ts'
import { sentence } from '../api/problem.ts'
import { closes } from '../live/protocol.ts'

export type Kind = 'serial' | 'vnc'
export type Mode = 'ask' | 'watch' | 'take'

/** Where a console stands. */
export type Standing =
  | { is: 'connecting' }
  | { is: 'open'; you: 'typing' | 'watching'; others: string[] }
  | { is: 'in use'; who: string }
  | { is: 'taken' }
  | { is: 'lost'; reason: string }

const backoff = { first: 500, most: 10_000 } // ms
const normal = 1000 // close code: the guest closed the console, for example by a reboot

/** One console of a VM. It connects again by itself until it is closed, taken over, or in use by somebody else. */
export class Line {
  onStanding: (standing: Standing) => void = () => undefined
  /** A fresh connection, before its first bytes. */
  onOpen: () => void = () => undefined
  onBytes: (bytes: Uint8Array) => void = () => undefined
  onClosed: () => void = () => undefined
  private socket: WebSocket | undefined
  private timer: ReturnType<typeof setTimeout> | undefined
  private tries = 0
  private stopped = false
  private readonly vm: string
  private readonly kind: Kind

  constructor(vm: string, kind: Kind) {
    this.vm = vm
    this.kind = kind
  }

  /** Opens the console. A take-over counts once: a reconnect asks again. */
  async open(mode: Mode) {
    this.stopped = false
    clearTimeout(this.timer)
    this.socket?.close()
    this.onStanding({ is: 'connecting' })
    try {
      const ticket = await body(
        api.POST('/api/v1/vms/{id}/console', {
          params: { path: { id: this.vm } },
          body: { kind: this.kind, mode },
        }),
      )
      if (this.stopped) return
      this.attach(
        new WebSocket(
          `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${ticket.path}`,
          ticket.subprotocol,
        ),
        mode,
      )
    } catch (error) {
      this.again(mode, sentence(error))
    }
  }

  send(bytes: Uint8Array<ArrayBuffer>) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(bytes)
  }

  close() {
    this.stopped = true
    clearTimeout(this.timer)
    this.socket?.close()
  }

  private attach(socket: WebSocket, mode: Mode) {
    this.socket = socket
    socket.binaryType = 'arraybuffer'
    let open = false
    const begin = () => {
      if (open) return
      open = true
      this.tries = 0
      this.onOpen()
    }
    socket.onmessage = ({ data }) => {
      begin()
      if (typeof data === 'string') this.tell(data)
      else this.onBytes(new Uint8Array(data as ArrayBuffer)) // binaryType is arraybuffer
    }
    socket.onclose = (event) => {
      if (this.socket !== socket) return
      this.socket = undefined
      this.onClosed()
      if (this.stopped) return
      if (event.code === closes.inUse) this.onStanding({ is: 'in use', who: event.reason })
      else if (event.code === closes.taken) this.onStanding({ is: 'taken' })
      else this.again(mode === 'take' ? 'ask' : mode, event.code === normal ? '' : event.reason)
    }
  }

  private tell(text: string) {
    const s = JSON.parse(text) as {
      type: string
      you: 'typing' | 'watching'
      typing: string
      watching: string[]
    } // wire.ConsoleState
    if (s.type !== 'who') return
    const others = s.you === 'typing' ? s.watching : [s.typing, ...s.watching.slice(1)].filter(Boolean)
    this.onStanding({ is: 'open', you: s.you, others })
  }

  private again(mode: Mode, reason: string) {
    if (this.stopped) return
    this.onStanding({ is: 'lost', reason })
    this.timer = setTimeout(() => void this.open(mode), Math.min(backoff.first * 2 ** this.tries++, backoff.most))
  }
}
