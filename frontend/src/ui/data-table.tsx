type Props = {
  /** What a screen reader calls it. */
  label: string
  columns: readonly string[]
  /** What the column of buttons at the end is for; it shows no name. Absent: there is none. */
  last?: string
  children: React.ReactNode
}

/** A table of rows that may be wider than the page: it scrolls by itself, with the keyboard too. */
export function DataTable({ label, columns, last, children }: Props) {
  return (
    <div className="table-scroll" tabIndex={0} role="region" aria-label={label}>
      <table>
        <thead>
          <tr>
            {columns.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
            {last ? (
              <th scope="col">
                <span className="visually-hidden">{last}</span>
              </th>
            ) : null}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  )
}
