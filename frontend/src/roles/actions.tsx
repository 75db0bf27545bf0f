import { useQuery } from '@tanstack/react-query'
import { roles } from '../api/queries.ts'
import { words } from '../i18n/en/roles.ts'
import { Check } from '../ui/field.tsx'

const w = words.roles

// Whoever has these can make administrators or read files of the server; core/auth refuses them in own roles.
const reserved = ['account.write', 'platform.write']
const plain = ['read', 'write']

/** What a role allows: a row for each kind of thing, with a box for seeing and one for changing it. */
export function Actions({ chosen, fault }: { chosen: readonly string[]; fault: string | undefined }) {
  const { data } = useQuery(roles())
  const all = (data?.items.find((r) => r.name === 'administrator')?.actions ?? []).filter((a) => !reserved.includes(a))
  const kinds = [...new Set([...Object.keys(w.kinds), ...all.map((a) => a.split('.')[0] ?? a)])]
  return (
    <fieldset className="field">
      <legend>{w.may}</legend>
      <table className="rights">
        <thead>
          <tr>
            <th scope="col">
              <span className="visually-hidden">{w.kind}</span>
            </th>
            <th scope="col">{w.see}</th>
            <th scope="col">{w.change}</th>
          </tr>
        </thead>
        <tbody>
          {kinds.map((kind) => (
            <Kind key={kind} kind={kind} all={all} chosen={chosen} />
          ))}
        </tbody>
      </table>
      <span className="hint">{w.reserved}</span>
      {fault ? (
        <span className="fault" role="alert">
          {fault}
        </span>
      ) : null}
    </fieldset>
  )
}

function Kind({ kind, all, chosen }: { kind: string; all: readonly string[]; chosen: readonly string[] }) {
  const name = w.kinds[kind] ?? kind
  const more = all.filter((a) => a.startsWith(`${kind}.`) && !plain.includes(a.slice(kind.length + 1)))
  return (
    <tr>
      <th scope="row">
        {name}
        {more.map((action) => {
          const verb = action.slice(kind.length + 1)
          return <Check key={action} label={w.verbs[verb] ?? verb} name="action" value={action} aria-label={w.cell(name, w.verbs[verb] ?? verb)} defaultChecked={chosen.includes(action)} />
        })}
      </th>
      {plain.map((verb) => {
        const action = `${kind}.${verb}`
        return (
          <td key={verb}>
            {all.includes(action) ? (
              <input
                type="checkbox"
                name="action"
                value={action}
                aria-label={w.cell(name, verb === 'read' ? w.see : w.change)}
                defaultChecked={chosen.includes(action)}
              />
            ) : null}
          </td>
        )
      })}
    </tr>
  )
}
