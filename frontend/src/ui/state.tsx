import { type Tone, toneOf } from '../lib/state.ts'

/** Shapes differ as the colours do: a state can be told in grey, too. */
const shapes: Record<Tone, React.ReactNode> = {
  ok: <circle cx="5" cy="5" r="4.5" fill="currentColor" />,
  busy: <circle cx="5" cy="5" r="3.6" fill="none" stroke="currentColor" strokeWidth="1.8" strokeDasharray="15 8" />,
  warn: <path d="M5 .5 9.8 9.3H.2z" fill="currentColor" />,
  danger: <path d="M3 .5h4L9.5 3v4L7 9.5H3L.5 7V3z" fill="currentColor" />,
  idle: <rect x="1.2" y="1.2" width="7.6" height="7.6" rx="1" fill="none" stroke="currentColor" strokeWidth="1.6" />,
  unknown: <circle cx="5" cy="5" r="3.8" fill="none" stroke="currentColor" strokeWidth="1.4" strokeDasharray="2 1.6" />,
}

function Shape({ tone }: { tone: Tone }) {
  return (
    <svg width="10" height="10" viewBox="0 0 10 10" aria-hidden="true">
      {shapes[tone]}
    </svg>
  )
}

/** The shape alone, where the word stands beside it or would be too much; word is for screen readers then. */
export function Mark({ tone, word }: { tone: Tone; word?: string }) {
  return (
    <span className={`mark ${tone}`} title={word}>
      <Shape tone={tone} />
      {word ? <span className="visually-hidden">{word}</span> : null}
    </span>
  )
}

type Props = { word: string; of?: 'thing' | 'operation'; tone?: Tone }

/** A state as colour, shape and word. The tone follows from the word, unless the word is not one of a state. */
export function State({ word, of, tone = toneOf(word, of) }: Props) {
  return (
    <span className={`state ${tone}`}>
      <Shape tone={tone} />
      {word.replaceAll('_', ' ')}
    </span>
  )
}
