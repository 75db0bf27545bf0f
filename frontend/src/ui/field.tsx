import { useId } from 'react'

type Control = {
  id: string
  className: string
  'aria-invalid'?: true
  'aria-describedby'?: string
}
type Props = {
  label: string
  hint?: string | undefined
  fault?: string | undefined
  children: (control: Control) => React.ReactNode
}

/** A label, a control, what helps and what is wrong, tied together for those who cannot see them side by side. */
export function Field({ label, hint, fault, children }: Props) {
  const id = useId()
  const described = [hint && `${id}-hint`, fault && `${id}-fault`].filter(Boolean).join(' ')
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({
        id,
        className: 'input',
        ...(fault ? { 'aria-invalid': true } : {}),
        ...(described ? { 'aria-describedby': described } : {}),
      })}
      {hint ? (
        <span id={`${id}-hint`} className="hint">
          {hint}
        </span>
      ) : null}
      {fault ? (
        <span id={`${id}-fault`} className="fault">
          {fault}
        </span>
      ) : null}
    </div>
  )
}

export function Check({
  label,
  hint,
  ...input
}: {
  label: string
  hint?: string
} & React.InputHTMLAttributes<HTMLInputElement>) {
  return (
    <label className="check">
      <input type="checkbox" {...input} />
      <span>
        {label}
        {hint ? <span className="why">{hint}</span> : null}
      </span>
    </label>
  )
}
