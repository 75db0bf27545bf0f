const tight = 0.9 // share from which on a bar warns

type Props = {
  /** What is measured, for those who do not see where the bar stands. */
  name: string
  part: number
  whole: number
  /** The words beside the bar, for example "3 of 10". */
  text: string
}

/** How much of a whole is taken. A whole of 0 is no limit and has no bar. */
export function Meter({ name, part, whole, text }: Props) {
  const share = whole > 0 ? part / whole : 0
  return (
    <span className="gauge">
      <span className={whole > 0 ? undefined : 'muted'}>{text}</span>
      {whole > 0 ? (
        <progress className={share >= tight ? 'over' : undefined} value={Math.min(part, whole)} max={whole} aria-label={`${name}: ${text}`} />
      ) : null}
    </span>
  )
}
