import { Link } from '@tanstack/react-router'
import { Problem } from '../api/problem.ts'
import { words } from '../i18n/en/core.ts'
import { ErrorView } from '../ui/views.tsx'

export function NotFound() {
  return (
    <main className="gate">
      <div className="card stack">
        <h1>{words.errors.notFound}</h1>
        <p>{words.errors.notFoundText}</p>
        <Link to="/dashboard" className="button">
          {words.errors.toDashboard}
        </Link>
      </div>
    </main>
  )
}

/** The last net: a page that broke, or a server that did not answer before any page could be shown. */
export function Crashed({ error }: { error: unknown }) {
  return (
    <main className="gate">
      <div className="card stack">
        <h1>{error instanceof Problem ? words.errors.title : words.errors.crashed}</h1>
        <ErrorView error={error} retry={() => location.reload()} />
      </div>
    </main>
  )
}
