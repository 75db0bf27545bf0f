import { useQuery } from '@tanstack/react-query'
import { memberships } from '../api/queries.ts'
import { goTo } from '../auth/place.ts'
import type { User } from '../auth/session.ts'
import { words } from '../i18n/en/shell.ts'

const w = words.nav

/** The tenants that somebody may act in, where there is more than one. */
export function Places({ user }: { user: User }) {
  const { data } = useQuery(memberships())
  if (!data || data.items.length < 2) return null
  return (
    <fieldset className="places">
      <legend className="muted">{w.actIn}</legend>
      {data.items.map((m) => (
        <button
          key={m.tenant}
          type="button"
          className="button quiet"
          aria-current={m.tenant === user.tenant ? 'true' : undefined}
          onClick={() => goTo(m.own ? undefined : { user: user.id, tenant: m.tenant, name: m.tenant_name, role: m.role })}
        >
          {m.tenant_name} <span className="why">{m.role}</span>
        </button>
      ))}
    </fieldset>
  )
}
