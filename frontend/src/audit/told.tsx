import { words } from '../i18n/en/audit.ts'
import { tellChanges } from '../lib/changes.ts'

const w = words.audit

type Props = {
  /** Of an audit record. */
  detail: unknown
  /** What is to stand beside it. */
  facts: readonly { name: string; value: string }[]
}

/** What an audit record tells: the values that were changed, as they were and as they are, and plain facts. */
export function Told({ detail, facts: more }: Props) {
  const { changed, facts } = tellChanges(detail)
  return (
    <div className="stack">
      {changed.length > 0 ? (
        <table className="diff">
          <caption className="visually-hidden">{w.changed}</caption>
          <thead>
            <tr>
              <th scope="col">{w.field}</th>
              <th scope="col">{w.before}</th>
              <th scope="col">{w.after}</th>
            </tr>
          </thead>
          <tbody>
            {changed.map((c) => (
              <tr key={c.name}>
                <th scope="row">{c.name}</th>
                <td className="mono">{c.before || '–'}</td>
                <td className="mono">{c.after || '–'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
      <dl className="facts">
        {[...facts, ...more].map((f) => (
          <div key={f.name} className="contents">
            <dt>{f.name}</dt>
            <dd className="mono">{f.value}</dd>
          </div>
        ))}
      </dl>
    </div>
  )
}
