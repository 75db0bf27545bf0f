import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { operations } from '../api/queries.ts'
import { words } from '../i18n/en/shell.ts'
import { UploadView } from '../images/upload-view.tsx'
import { uploads } from '../images/uploads.ts'
import { useStore } from '../lib/store.ts'
import { Menu } from '../ui/menu.tsx'
import { OperationView } from './view.tsx'

const w = words.operation

/** What runs now, on every page: operations come from the server and survive a reload. */
export function OperationsTray() {
  const { data } = useQuery(operations({ status: 'open' }))
  const sending = [...useStore(uploads).values()]
  const open = (data?.items ?? []).filter((o) => !o.ended_at)
  const count = open.length + sending.length
  return (
    <Menu
      label={`${w.tray} ${count}: ${w.trayCount(count)}`}
      quiet
      face={
        <>
          <span className="tray-word">{w.tray}</span> <span className={`state ${count ? 'busy' : ''}`}>{count}</span>
        </>
      }
    >
      <div className="tray">
        {count === 0 ? <p className="muted">{w.trayCount(0)}</p> : null}
        {sending.map((u) => (
          <UploadView key={u.image} upload={u} />
        ))}
        {open.slice(0, 5).map((o) => (
          <OperationView key={o.id} operation={o} />
        ))}
        <Link to="/operations">{w.all}</Link>
      </div>
    </Menu>
  )
}
