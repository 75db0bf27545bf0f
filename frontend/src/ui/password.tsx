import { useState } from 'react'
import { words } from '../i18n/en/core.ts'
import { Field } from './field.tsx'

const w = words.login

type Props = {
  label: string
  name: string
  /** current: password managers fill it in; new: they offer one. */
  kind: 'current' | 'new'
  hint?: string | undefined
  fault?: string | undefined
  input?: React.Ref<HTMLInputElement>
}

/** The fewest characters of a new password; core/auth says so too. */
export const shortestPassword = 12

/** A password, which can be looked at instead of being typed twice. */
export function Password({ label, name, kind, hint, fault, input }: Props) {
  const [shown, setShown] = useState(false)
  const [caps, setCaps] = useState(false)
  return (
    <Field label={label} hint={caps ? w.caps : hint} fault={fault}>
      {(c) => (
        <span className="with-button">
          <input
            {...c}
            ref={input}
            name={name}
            type={shown ? 'text' : 'password'}
            autoComplete={kind === 'new' ? 'new-password' : 'current-password'}
            autoCapitalize="none"
            spellCheck={false}
            required
            minLength={kind === 'new' ? shortestPassword : undefined}
            maxLength={1024}
            onKeyUp={(e) => setCaps(e.getModifierState('CapsLock'))}
          />
          <button type="button" className="button" onClick={() => setShown(!shown)}>
            {shown ? w.hide : w.show}
            <span className="visually-hidden"> {label.toLowerCase()}</span>
          </button>
        </span>
      )}
    </Field>
  )
}
