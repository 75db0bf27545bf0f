import { useEffect, useState } from 'react'
import { Problem, sentence } from '../api/problem.ts'
import { words } from '../i18n/en/core.ts'
import { useNow } from '../lib/clock.ts'
import { Copy } from './copy.tsx'

/** A grey shape in place of what is being loaded, after a moment: quick answers never flash. */
export function Skeleton({ lines = 3 }: { lines?: number }) {
  const [late, setLate] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 150)
    return () => clearTimeout(timer)
  }, [])
  return (
    <div className="stack" aria-busy="true">
      <span className="visually-hidden">{words.common.loading}</span>
      {Array.from({ length: lines }, (_, i) => (
        // the lines are all the same
        <div key={i} className={late ? 'skeleton' : undefined} />
      ))}
    </div>
  )
}

/** What failed, in the server's words, with what support asks for. Overload tries again by itself. */
export function ErrorView({ error, retry }: { error: unknown; retry?: () => void }) {
  const problem = error instanceof Problem ? error : undefined
  const details = [
    sentence(error),
    problem && `${words.errors.code} ${problem.code} (${problem.status})`,
    problem?.requestId && `${words.errors.request} ${problem.requestId}`,
  ]
    .filter(Boolean)
    .join('\n')
  return (
    <div className="alert" role="alert">
      <p>{sentence(error)}</p>
      {problem?.requestId ? (
        <p className="mono">
          {words.errors.request} {problem.requestId}
        </p>
      ) : null}
      <div className="row">
        {retry ? (
          <button type="button" className="button" onClick={retry}>
            {words.errors.retry}
          </button>
        ) : null}
        <Copy text={details} label={words.errors.copy} />
        {retry && problem?.retryAfter ? <Countdown seconds={problem.retryAfter} then={retry} /> : null}
      </div>
    </div>
  )
}

function Countdown({ seconds, then }: { seconds: number; then: () => void }) {
  const [end] = useState(() => Date.now() + seconds * 1000)
  const left = Math.ceil((end - useNow()) / 1000)
  const over = left <= 0
  // once, when the time is over
  useEffect(() => {
    if (over) then()
  }, [over])
  return over ? null : <span>{words.errors.retryIn(left)}</span>
}

type Read<T> = { data: T | undefined; error: unknown; refetch: () => unknown }

/** Shows a query: old data while new data comes, a shape before the first, the problem when there is nothing else. */
export function Loaded<T>({
  query,
  lines,
  children,
}: {
  query: Read<T>
  lines?: number
  children: (data: T) => React.ReactNode
}) {
  if (query.data !== undefined) return children(query.data)
  if (query.error) return <ErrorView error={query.error} retry={() => void query.refetch()} />
  return <Skeleton lines={lines} />
}

export function Empty({ text, children }: { text: string; children?: React.ReactNode }) {
  return (
    <div className="empty">
      <p>{text}</p>
      {children}
    </div>
  )
}
