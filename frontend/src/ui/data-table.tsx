import { useLayoutEffect, useRef } from 'react'

/** A column of numbers, which stand under each other at their ends. */
type Numbers = { numbers: string }
type Props = {
  /** What a screen reader calls it. */
  label: string
  columns: readonly (string | Numbers)[]
  /** What the column of buttons at the end is for; it shows no name. Absent: there is none. */
  last?: string
  children: React.ReactNode
}

const nameOf = (column: string | Numbers) => (typeof column === 'string' ? column : column.numbers)

/** A table of rows that may be wider than the page: it scrolls by itself, with the keyboard too. On phones each row is a card, whose
 * cells carry the names of their columns. */
export function DataTable({ label, columns, last, children }: Props) {
  const rows = useRef<HTMLTableSectionElement>(null)
  // Rows are of many kinds and know nothing of their columns, so the names are given to the cells where they ended up.
  useLayoutEffect(() => {
    for (const row of rows.current?.rows ?? []) {
      if (row.cells.length < columns.length) continue // one cell over all of them
      for (const [i, cell] of [...row.cells].entries()) {
        const name = columns[i] ? nameOf(columns[i]) : ''
        if (cell.dataset.column !== name) cell.dataset.column = name
      }
    }
  })
  return (
    <div className="table-scroll" tabIndex={0} role="region" aria-label={label}>
      <table className="rows">
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={nameOf(column)} scope="col" className={typeof column === 'string' ? undefined : 'end'}>
                {nameOf(column)}
              </th>
            ))}
            {last ? (
              <th scope="col">
                <span className="visually-hidden">{last}</span>
              </th>
            ) : null}
          </tr>
        </thead>
        <tbody ref={rows}>{children}</tbody>
      </table>
    </div>
  )
}
