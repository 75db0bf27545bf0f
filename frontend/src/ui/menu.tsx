import { useEffect, useId, useRef, useState } from 'react'

type Props = {
  label: string
  face: React.ReactNode
  className?: string
  quiet?: boolean
  children: React.ReactNode
}

/** A button that opens a small panel of buttons and links. It closes on Escape, on a press elsewhere and after a choice. */
export function Menu({ label, face, className = '', quiet = false, children }: Props) {
  const [open, setOpen] = useState(false)
  const root = useRef<HTMLDivElement>(null)
  const button = useRef<HTMLButtonElement>(null)
  const id = useId()
  useEffect(() => {
    if (!open) return
    const outside = (e: Event) => {
      if (!root.current?.contains(e.target as globalThis.Node)) setOpen(false) // an event's target is a node here
    }
    document.addEventListener('pointerdown', outside)
    document.addEventListener('focusin', outside)
    return () => {
      document.removeEventListener('pointerdown', outside)
      document.removeEventListener('focusin', outside)
    }
  }, [open])

  const onKeyDown = (e: React.KeyboardEvent) => {
    if (!open) return
    if (e.key === 'Escape') {
      setOpen(false)
      button.current?.focus()
      e.stopPropagation()
    }
    if (e.key !== 'ArrowDown' && e.key !== 'ArrowUp') return
    const items = [...(root.current?.querySelectorAll<HTMLElement>('.menu-list a, .menu-list button') ?? [])]
    const at = items.indexOf(document.activeElement as HTMLElement)
    items[(at + (e.key === 'ArrowDown' ? 1 : items.length - 1)) % items.length]?.focus()
    e.preventDefault()
  }
  const onChoice = (e: React.MouseEvent) => {
    const chosen = (e.target as HTMLElement).closest('a, button')
    if (chosen && chosen.getAttribute('aria-disabled') !== 'true' && !chosen.hasAttribute('data-stay')) setOpen(false)
  }
  // Before the choice does its work: the button inside goes away with the menu, and a dialog that it opens gives the focus back to
  // what had it. A choice may still move the focus elsewhere, as to a guest's screen.
  const keepFocus = (e: React.MouseEvent) => {
    if ((e.target as HTMLElement).closest('button:not([aria-disabled="true"], [data-stay])')) button.current?.focus()
  }
  return (
    // keys of the buttons inside come by here
    <div ref={root} className={`menu ${className}`} onKeyDown={onKeyDown}>
      <button
        ref={button}
        type="button"
        className={`button ${quiet ? 'quiet' : ''}`}
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        aria-label={label}
        onClick={() => setOpen(!open)}
      >
        {face}
      </button>
      {open ? (
        // presses of the buttons inside come by here
        // a key on a button is a click
        <div id={id} className="menu-list" onClickCapture={keepFocus} onClick={onChoice}>
          {children}
        </div>
      ) : null}
    </div>
  )
}
