import { Link } from '@tanstack/react-router'
import { Action } from './action.tsx'

/** The way to where something is made; for who may not, the button that says why. */
export function Make({ to, label, why }: { to: '/vms/new' | '/images/new'; label: string; why: string | undefined }) {
  if (why) return <Action label={label} why={why} className="primary" onAction={() => undefined} />
  return (
    <Link to={to} className="button primary">
      {label}
    </Link>
  )
}

/** In place of a form that somebody came to by its address, and that could not be sent. */
export function NotYours({ why }: { why: string }) {
  return (
    <p className="alert warn" role="alert">
      {why}
    </p>
  )
}
