import { useEffect, useId, useRef, useState } from 'react'
import { words } from '../i18n/en/palette.ts'
import { Dialog } from '../ui/dialog.tsx'
import { useCommands } from './commands.ts'
import { type Command, find } from './match.ts'

const w = words.palette
const most = 40 // commands in sight or a little below
const pause = 150 // ms without a key before the server is asked

/** Goes anywhere and does anything by name. The focus stays in the field; arrows move what Enter takes. */
export function Palette({ onClose }: { onClose: () => void }) {
  const [typed, setTyped] = useState('')
  const settled = useSettled(typed)
  const { commands, busy } = useCommands(settled)
  const found = find(commands, typed, most)
  const [wanted, setWanted] = useState(0)
  const at = Math.min(wanted, found.length - 1)
  const id = useId()
  const list = useRef<HTMLDivElement>(null)
  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' })
  }, [at, typed])

  const take = (command: Command | undefined) => {
    if (!command || command.why) return
    onClose()
    command.run()
  }
  const onKeyDown = (e: React.KeyboardEvent) => {
    const moves: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 8, PageUp: at - 8 }
    const next = moves[e.key]
    if (e.key === 'Enter') take(found[at])
    else if (next === undefined) return
    else if (Math.abs(next - at) === 1) setWanted((next + found.length) % Math.max(1, found.length))
    else setWanted(Math.max(0, Math.min(next, found.length - 1)))
    e.preventDefault()
  }
  return (
    <Dialog title={w.title} untitled className="palette" onClose={onClose}>
      {/* keys of the field; a press on the backdrop is the dialog's own */}
      <div className="palette-field" onKeyDown={onKeyDown}>
        <input
          className="input"
          role="combobox"
          aria-label={w.title}
          aria-expanded={found.length > 0}
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={found[at] ? `${id}-${at}` : undefined}
          placeholder={w.hint}
          autoComplete="off"
          spellCheck={false}
          maxLength={100}
          value={typed}
          onChange={(e) => {
            setTyped(e.target.value)
            setWanted(0)
          }}
        />
        <button type="button" className="button quiet" onClick={onClose}>
          {words.common.close}
        </button>
      </div>
      <div ref={list} id={`${id}-list`} role="listbox" aria-label={w.found(found.length)} className="palette-list">
        {groupsOf(found).map(([group, members]) => (
          <div key={group} role="group" aria-labelledby={`${id}-${group}`}>
            <div id={`${id}-${group}`} className="palette-group" role="presentation">
              {group}
            </div>
            {members.map(({ command, place }) => (
              <div
                key={command.id}
                id={`${id}-${place}`}
                role="option"
                aria-selected={place === at}
                aria-disabled={command.why ? true : undefined}
                className="palette-option"
                onClick={() => take(command)}
                onPointerMove={() => setWanted(place)}
              >
                {command.label}
                {command.why ? <span className="why">{command.why}</span> : null}
              </div>
            ))}
          </div>
        ))}
      </div>
      <p className={found.length > 0 ? 'visually-hidden' : 'muted palette-none'} role="status">
        {busy ? words.common.loading : found.length > 0 ? w.found(found.length) : w.none(typed)}
      </p>
    </Dialog>
  )
}

function groupsOf(found: Command[]): [string, { command: Command; place: number }[]][] {
  const groups = new Map<string, { command: Command; place: number }[]>()
  found.forEach((command, place) => {
    groups.set(command.group, [...(groups.get(command.group) ?? []), { command, place }])
  })
  return [...groups]
}

function useSettled(value: string): string {
  const [settled, setSettled] = useState(value)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), pause)
    return () => clearTimeout(timer)
  }, [value])
  return settled
}
