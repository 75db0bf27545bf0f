import { lazy, Suspense, useEffect, useState } from 'react'
import { words } from '../i18n/en/shell.ts'
import { Icon } from '../ui/icon.tsx'

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
    const early = setTimeout(() => void load().catch(() => undefined), 500) // ms; the first press finds it ready, or asks again
    return () => {
      document.removeEventListener('keydown', onKeyDown)
      clearTimeout(early)
    }
  }, [])
  return (
    <>
      <button type="button" className="button opener" aria-keyshortcuts="Control+K Meta+K" onClick={() => setOpen(true)}>
        <Icon name="search" />
        <span className="opener-word">{words.nav.search}</span> <kbd>Ctrl K</kbd>
      </button>
      {open ? (
        <Suspense>
          <Palette onClose={() => setOpen(false)} />
        </Suspense>
      ) : null}
    </>
  )
}
