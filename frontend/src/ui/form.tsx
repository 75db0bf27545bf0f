import { Problem, sentence } from '../api/problem.ts'
import { words } from '../i18n/en/core.ts'
import { Dialog } from './dialog.tsx'
import { ErrorView } from './views.tsx'

/** What the server said against each of these fields of a form; whole is what belongs to none of them. */
export function faultsOf<N extends string>(
  error: unknown,
  names: readonly N[],
): { at: Partial<Record<N, string>>; whole: unknown } {
  const at: Partial<Record<N, string>> = {}
  if (!(error instanceof Problem)) return { at, whole: error }
  const told = [...error.fields, ...(error.field ? [{ field: error.field, message: sentence(error) }] : [])]
  for (const name of names) {
    const found = told.find(({ field }) => field === name || field.endsWith(`.${name}`))
    if (found) at[name] = found.message
  }
  return { at, whole: Object.keys(at).length > 0 ? undefined : error }
}

type Props = {
  title: string
  submit: string
  busy: boolean
  /** Shown above the fields. */
  error?: unknown
  danger?: boolean
  onClose: () => void
  onSubmit: (form: FormData) => void
  children: React.ReactNode
}

/** A dialog that asks for a few values and does one thing with them. */
export function FormDialog({ title, submit, busy, error, danger, onClose, onSubmit, children }: Props) {
  const send = (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (!busy) onSubmit(new FormData(event.currentTarget))
  }
  return (
    <Dialog title={title} onClose={onClose}>
      <form className="stack" onSubmit={send}>
        {error ? <ErrorView error={error} /> : null}
        {children}
        <div className="row">
          <button type="button" className="button" onClick={onClose}>
            {words.common.cancel}
          </button>
          <button type="submit" className={`button primary ${danger ? 'danger' : ''}`} aria-disabled={busy}>
            {submit}
          </button>
        </div>
      </form>
    </Dialog>
  )
}
