import { useQuery } from '@tanstack/react-query'
import { networks } from '../api/queries.ts'
import { words } from '../i18n/en/networks.ts'
import { DataTable } from '../ui/data-table.tsx'
import { PageHead, Ready } from '../ui/page.tsx'
import { Time } from '../ui/time.tsx'
import { Empty, Loaded } from '../ui/views.tsx'

const w = words.networks

export function NetworksPage() {
  const query = useQuery(networks())
  return (
    <>
      <PageHead title={w.title} />
      <Loaded query={query}>
        {(list) =>
          list.items.length === 0 ? (
            <Empty text={w.empty} />
          ) : (
            <>
              <DataTable label={w.title} columns={[words.common.name, w.subnet, w.gateway, w.dns, w.mtu, words.common.created]}>
                {list.items.map((n) => (
                  <tr key={n.id}>
                    <th scope="row">{n.name}</th>
                    <td className="mono">{n.subnet}</td>
                    <td className="mono">{n.gateway}</td>
                    <td className="mono">{n.dns.join(', ')}</td>
                    <td>{n.mtu}</td>
                    <td>
                      <Time at={n.created_at} />
                    </td>
                  </tr>
                ))}
              </DataTable>
              <Ready />
            </>
          )
        }
      </Loaded>
    </>
  )
}
