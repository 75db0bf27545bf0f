import RFB from '@novnc/novnc'
import { useEffect, useRef } from 'react'
import { words } from '../i18n/en/vm.ts'
import type { Line } from './line.ts'

const w = words.console

/** What noVNC takes in place of a WebSocket: the bytes of a line, without the frames that are not for the screen. */
class Channel {
  binaryType = 'arraybuffer'
  protocol = ''
  readyState = 'open'
  onopen: (() => void) | null = null
  onmessage: ((event: { data: ArrayBuffer }) => void) | null = null
  onerror: (() => void) | null = null
  onclose: ((event: { code: number; reason: string }) => void) | null = null
  private readonly line: Line

  constructor(line: Line) {
    this.line = line
  }
  send(bytes: Uint8Array<ArrayBuffer>) {
    this.line.send(bytes)
  }
  close() {
    this.readyState = 'closed'
    this.onclose?.({ code: 1000, reason: '' })
  }
}

const keysyms = { enter: 0xff0d, tab: 0xff09, shift: 0xffe1 }

/** Combinations that a browser or its machine keeps to itself, as X11's numbers of the keys. */
export const combinations = {
  'Ctrl+Alt+Del': [0xffe3, 0xffe9, 0xffff],
  'Ctrl+Alt+F1': [0xffe3, 0xffe9, 0xffbe],
  'Ctrl+Alt+F2': [0xffe3, 0xffe9, 0xffbf],
  'Ctrl+Alt+Backspace': [0xffe3, 0xffe9, 0xff08],
  'Alt+Tab': [0xffe9, 0xff09],
  'Alt+F4': [0xffe9, 0xffc1],
  Super: [0xffeb],
  Esc: [0xff1b],
} as const satisfies Record<string, readonly number[]>
export type Combination = keyof typeof combinations
/** Between two typed keys, in ms: guests lose keys that come faster than their keyboard driver reads. */
const typingGap = 12

type Props = {
  line: Line
  type: (ready: ((text: string) => void) | null) => void
  keys: (ready: ((combination: Combination) => void) | null) => void
  watching: boolean
}

export function Screen({ line, type, keys, watching }: Props) {
  const place = useRef<HTMLDivElement>(null)
  const rfb = useRef<RFB | null>(null)

  useEffect(() => {
    const element = place.current
    if (!element) return
    let channel: Channel | undefined
    line.onOpen = () => {
      channel = new Channel(line)
      rfb.current = new RFB(element, channel as unknown as WebSocket) // noVNC uses no more of it than Channel has
      rfb.current.scaleViewport = true
      rfb.current.background = '#0c1015'
      rfb.current.focus()
    }
    line.onBytes = (bytes) => channel?.onmessage?.({ data: bytes.slice().buffer })
    line.onClosed = () => {
      channel?.close()
      channel = undefined
      rfb.current = null
    }
    type((text) => void typeKeys(() => rfb.current, text))
    keys((combination) => press(rfb.current, combinations[combination]))
    return () => {
      type(null)
      keys(null)
      rfb.current?.disconnect()
      rfb.current = null
    }
  }, [line, type, keys])

  useEffect(() => {
    if (rfb.current) rfb.current.viewOnly = watching
  }, [watching])

  return <div ref={place} className="console-view" role="group" aria-label={w.display} />
}

/** Presses the keys in order and lets them go in the opposite one, as fingers do. */
function press(screen: RFB | null, keys: readonly number[]) {
  for (const key of keys) screen?.sendKey(key, null, true)
  for (const key of keys.toReversed()) screen?.sendKey(key, null, false)
  screen?.focus()
}

/** What stands above another character on the keyboard that QEMU takes key symbols to be of, a US one: it presses no Shift by itself. */
const shifted = /[A-Z~!@#$%^&*()_+{}|:"<>?]/

async function typeKeys(screen: () => RFB | null, text: string) {
  for (const character of text.replaceAll('\r\n', '\n')) {
    const shift = shifted.test(character)
    if (shift) screen()?.sendKey(keysyms.shift, null, true)
    screen()?.sendKey(keysym(character), null)
    if (shift) screen()?.sendKey(keysyms.shift, null, false)
    await new Promise((go) => setTimeout(go, typingGap))
  }
}

/** X11's number of a character: Latin-1 stands for itself, the rest of Unicode lies above 0x01000000. */
function keysym(character: string): number {
  if (character === '\n') return keysyms.enter
  if (character === '\t') return keysyms.tab
  const code = character.codePointAt(0) ?? 0
  return code < 0x100 ? code : 0x01000000 + code
}
