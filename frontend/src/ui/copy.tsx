import { useState } from 'react'
import { words } from '../i18n/en/core.ts'

/** Copies a text. Where the page may not use the clipboard (plain HTTP from afar) the text stays selectable beside it. */
export function Copy({ text, label = words.common.copy }: { text: string; label?: string }) {
  const [copied, setCopied] = useState(false)
  if (!navigator.clipboard) return null
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text)
      setCopied(true)
      setTimeout(() => setCopied(false), 2_000)
    } catch {
      setCopied(false) // refused by the browser; the text can still be selected
    }
  }
  return (
    <button type="button" className="button small" onClick={copy}>
      {copied ? words.errors.copied : label}
    </button>
  )
}
