import { useState } from 'react'
import { Problem, sentence } from '../api/problem.ts'
import { words } from '../i18n/en/core.ts'
import { useNow } from '../lib/clock.ts'

/** Why a form was refused; too many tries count down. What stands beside a field of the form is not repeated here. */
export function Refusal({ error }: { error: unknown }) {
  const [seen, setSeen] = useState({ error, at: Date.now() })
  if (seen.error !== error) setSeen({ error, at: Date.now() })
  const now = useNow()
  if (!error) return null
  const wait = error instanceof Problem ? Math.ceil((seen.at + (error.retryAfter ?? 0) * 1000 - now) / 1000) : 0
  return (
    <p className="alert" role="alert">
      {wait > 0 && error instanceof Problem && error.status === 429 ? words.login.wait(wait) : sentence(error)}
    </p>
  )
}
