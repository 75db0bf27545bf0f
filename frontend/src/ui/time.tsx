import { useNow } from '../lib/clock.ts'
import { absolute, ago } from '../lib/format.ts'

/** How long ago, with the whole time as a tooltip. */
export function Time({ at }: { at: string }) {
  const now = useNow(5_000)
  const then = Date.parse(at)
  return (
    <time dateTime={at} title={absolute(then)} className="nowrap">
      {ago(then, now)}
    </time>
  )
}
