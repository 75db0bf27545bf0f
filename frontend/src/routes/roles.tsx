import { useQuery } from '@tanstack/react-query'
import type { Schemas } from '../api/client.ts'
import { roles } from '../api/queries.ts'
import { words } from '../i18n/en/roles.ts'
import { PageHead, Ready } from '../ui/page.tsx'
import { Loaded } from '../ui/views.tsx'

const w = words.roles

export function RolesPage() {
  const query = useQuery(roles())
  return (
    <>
      <PageHead title={w.title} />
      <Loaded query={query}>
        {(list) => (
          <>
            <Matrix roles={list.items} />
            <Ready />
          </>
        )}
      </Loaded>
    </>
  )
}

/** One row per right, one column per role: what two roles differ in stands side by side. */
function Matrix({ roles: list }: { roles: Schemas['Role'][] }) {
  const actions = [...new Set(list.flatMap((r) => r.actions))].sort()
  return (
    <div className="table-scroll" tabIndex={0} role="region" aria-label={w.matrix}>
      <table className="matrix">
        <thead>
          <tr>
            <th scope="col">{w.may}</th>
            {list.map((r) => (
              <th key={r.name} scope="col">
                {r.name}
                <span className="why">{r.tenants === 'all' ? w.all : w.own}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {actions.map((action) => (
            <tr key={action}>
              <th scope="row" className="mono">
                {action}
              </th>
              {list.map((r) => {
                const may = r.actions.includes(action)
                return (
                  <td key={r.name}>
                    <span aria-hidden="true" className={may ? 'yes' : 'muted'}>
                      {may ? '✓' : '–'}
                    </span>
                    <span className="visually-hidden">{may ? w.yes(r.name, action) : w.no(r.name, action)}</span>
                  </td>
                )
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
