import { FitAddon } from '@xterm/addon-fit'
import { SearchAddon } from '@xterm/addon-search'
import { Terminal } from '@xterm/xterm'
import '@xterm/xterm/css/xterm.css'
import { useEffect, useRef, useState } from 'react'
import { words } from '../i18n/en/vm.ts'
import type { Line } from './line.ts'
import { styledDocument } from './styles.ts'

const w = words.console
const scrollback = 10_000 // lines
const theme = {
  background: '#0c1015',
  foreground: '#e8ebef',
  cursor: '#79afff',
  selectionBackground: '#2f4a73',
}

export function Serial({ line, type }: { line: Line; type: (ready: ((text: string) => void) | null) => void }) {
  const place = useRef<HTMLDivElement>(null)
  const [tools, setTools] = useState<{
    terminal: Terminal
    search: SearchAddon
  }>()

  useEffect(() => {
    const element = place.current
    if (!element) return
    const styled = styledDocument()
    const terminal = new Terminal({
      scrollback,
      theme,
      documentOverride: styled.document,
      fontFamily: getComputedStyle(document.documentElement).getPropertyValue('--mono'),
      fontSize: 13,
      screenReaderMode: true,
      allowProposedApi: true, // the search addon's
    })
    const fit = new FitAddon()
    const search = new SearchAddon()
    terminal.loadAddon(fit)
    terminal.loadAddon(search)
    styled.during(() => terminal.open(element))
    terminal.textarea?.setAttribute('aria-label', `${w.terminal}. ${w.leave}`)
    const encoder = new TextEncoder()
    const send = (text: string) => line.send(encoder.encode(text))
    // Guests ask terminals where the cursor is. What stands in the scrollback was asked and answered before, and an answer now
    // would be typed at a prompt: until somebody types, the terminal says nothing.
    let typing = false
    const begin = () => {
      typing = true
    }
    for (const sign of ['keydown', 'input', 'paste'] as const) element.addEventListener(sign, begin, { capture: true })
    terminal.onData((text) => typing && send(text))
    // A way out for those who use no mouse: Tab belongs to the guest.
    terminal.attachCustomKeyEventHandler((e) => {
      if (!(e.ctrlKey && e.altKey && e.shiftKey)) return true
      terminal.blur()
      element.closest('.console')?.querySelector<HTMLElement>('button')?.focus()
      return false
    })
    line.onOpen = () => {
      typing = false
      terminal.reset() // the server sends the scrollback again
    }
    line.onBytes = (bytes) => terminal.write(bytes)
    type((text) => send(text.replaceAll('\r\n', '\r').replaceAll('\n', '\r')))
    const watch = new ResizeObserver(() => fit.fit())
    watch.observe(element)
    terminal.focus()
    setTools({ terminal, search })
    return () => {
      for (const sign of ['keydown', 'input', 'paste'] as const)
        element.removeEventListener(sign, begin, { capture: true })
      type(null)
      watch.disconnect()
      terminal.dispose()
      styled.release()
    }
  }, [line, type])

  return (
    <>
      {tools ? <Tools terminal={tools.terminal} search={tools.search} /> : null}
      <div ref={place} className="console-view" role="group" aria-label={w.terminal} />
    </>
  )
}

function Tools({ terminal, search }: { terminal: Terminal; search: SearchAddon }) {
  const [wanted, setWanted] = useState('')
  const [missed, setMissed] = useState(false)
  const find = (next: boolean) =>
    setMissed(wanted !== '' && !(next ? search.findNext(wanted) : search.findPrevious(wanted)))
  const download = () => {
    const buffer = terminal.buffer.active
    const lines = Array.from({ length: buffer.length }, (_, i) => buffer.getLine(i)?.translateToString(true) ?? '')
    const url = URL.createObjectURL(new Blob([`${lines.join('\n').trimEnd()}\n`], { type: 'text/plain' }))
    const link = document.createElement('a')
    link.href = url
    link.download = 'serial.log'
    link.click()
    URL.revokeObjectURL(url)
  }
  return (
    <form
      className="row"
      role="search"
      onSubmit={(e) => {
        e.preventDefault()
        find(false)
      }}
    >
      <input
        className="input search-input"
        type="search"
        aria-label={w.search}
        placeholder={w.search}
        value={wanted}
        onChange={(e) => setWanted(e.target.value)}
      />
      <button type="submit" className="button" aria-label={w.previous}>
        ↑
      </button>
      <button type="button" className="button" aria-label={w.next} onClick={() => find(true)}>
        ↓
      </button>
      <span role="status">{missed ? w.noMatch : ''}</span>
      <button type="button" className="button" onClick={download}>
        {w.download}
      </button>
      <button type="button" className="button" onClick={() => terminal.clear()}>
        {w.clear}
      </button>
    </form>
  )
}
