import { useEffect, useRef, useState } from 'react'

const pause = 250 // ms without a key before what was typed counts

type Props = { label: string; value: string; maxLength: number; onTyped: (value: string) => void }

/** A search field that reports what was typed when the typing rests: each report may ask the server. */
export function Typed({ label, value, maxLength, onTyped }: Props) {
  const [text, setText] = useState(value)
  const [seen, setSeen] = useState(value)
  const [reported, setReported] = useState(value)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(timer.current), [])
  // Changed from elsewhere, for example by "Clear filters".
  if (value !== seen) {
    setSeen(value)
    if (value !== reported) {
      setReported(value)
      setText(value)
    }
  }
  const type = (next: string) => {
    setText(next)
    clearTimeout(timer.current)
    timer.current = setTimeout(() => {
      setReported(next)
      onTyped(next)
    }, pause)
  }
  return (
    <input
      className="input"
      type="search"
      aria-label={label}
      placeholder={label}
      maxLength={maxLength}
      value={text}
      onChange={(e) => type(e.target.value)}
    />
  )
}
