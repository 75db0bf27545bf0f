import { lazy, Suspense, useEffect, useState } from 'react'
import { words } from '../i18n/en.ts'

const load = () => import('./palette.tsx')
const Palette = lazy(async () => ({ default: (await load()).Palette }))

/** The button in the bar, and Ctrl+K or ⌘K wherever the focus is but in a console, where keys belong to the guest. */
export function PaletteOpener() {
  const [open, setOpen] = useState(false)
  useEffect(() => {
    const onKeyDown = (e: KeyboardEvent) => {
      if (!(e.ctrlKey || e.metaKey) || e.altKey || e.shiftKey || e.key.toLowerCase() !== 'k') return
      if (e.target instanceof Element && e.target.closest('.console-view')) return
      e.preventDefault()
      // Not over another dialog: what is asked there comes first.
      if (!document.querySelector('dialog[open]:not(.palette)')) setOpen((now) => !now)
    }
    document.addEventListener('keydown', onKeyDown)
    const early = setTimeout(() => void load(), 500) // ms; the first press finds it ready
    return () => {
      document.removeEventListener('keydown', onKeyDown)
      clearTimeout(early)
    }
  }, [])
  return (
    <>
      <button type="button" className="button opener" aria-keyshortcuts="Control+K Meta+K" aria-label={words.palette.open} onClick={() => setOpen(true)}>
        <svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">
          <circle cx="6" cy="6" r="4.5" fill="none" stroke="currentColor" strokeWidth="1.5" />
          <path d="m9.5 9.5 3.5 3.5" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" />
        </svg>
        <span className="opener-word">{words.palette.open}</span> <kbd>Ctrl K</kbd>
      </button>
      {open ? (
        <Suspense>
          <Palette onClose={() => setOpen(false)} />
        </Suspense>
      ) : null}
    </>
  )
}
