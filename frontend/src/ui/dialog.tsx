import { useId, useLayoutEffect, useRef } from 'react'

type Props = {
  title: string
  onClose: () => void
  /** Tells the title to screen readers only, where what is inside explains itself. */
  untitled?: boolean
  className?: string
  children: React.ReactNode
}

/** A modal of the browser's own: it holds the focus, closes on Escape and gives the focus back. Mount it to open it. */
export function Dialog({ title, onClose, untitled = false, className = '', children }: Props) {
  const element = useRef<HTMLDialogElement>(null)
  const id = useId()
  // Before the element leaves the page: only then does the browser give the focus back.
  useLayoutEffect(() => {
    const dialog = element.current
    if (dialog && !dialog.open) dialog.showModal()
    return () => dialog?.close()
  }, [])
  return (
    <dialog ref={element} aria-labelledby={id} onCancel={onClose} className={className}>
      <div className="stack">
        <h2 id={id} className={untitled ? 'visually-hidden' : undefined}>
          {title}
        </h2>
        {children}
      </div>
    </dialog>
  )
}
