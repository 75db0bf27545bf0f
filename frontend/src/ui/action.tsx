import { useId } from 'react'

type Props = {
  label: string
  /** Names the thing as well, where many buttons carry the same label. */
  name?: string
  /** One sentence why it cannot be done now; absent: it can. */
  why?: string | undefined
  onAction: () => void
  className?: string
  /** Shows the reason below the words, as in a menu; otherwise it is a tooltip and a description. */
  explain?: boolean
}

/** A button that says why it cannot be pressed. It stays focusable, so that a keyboard finds the reason too. */
export function Action({ label, name, why, onAction, className = '', explain = false }: Props) {
  const id = useId()
  const apart = why && !explain
  return (
    <>
      <button
        type="button"
        className={`button ${className}`}
        aria-disabled={why ? true : undefined}
        aria-label={name}
        aria-describedby={apart ? id : undefined}
        title={why}
        onClick={() => !why && onAction()}
      >
        {label}
        {why && explain ? <span className="why">{why}</span> : null}
      </button>
      {apart ? (
        <span id={id} className="visually-hidden">
          {why}
        </span>
      ) : null}
    </>
  )
}
