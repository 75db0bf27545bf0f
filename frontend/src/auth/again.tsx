import { useMutation } from '@tanstack/react-query'
import { useLayoutEffect, useRef } from 'react'
import { words } from '../i18n/en/account.ts'
import { Brand } from '../ui/brand.tsx'
import { Field } from '../ui/field.tsx'
import { Password } from '../ui/password.tsx'
import { Refusal } from '../ui/refusal.tsx'
import { leave, proveSecondFactor, signIn, type User } from './session.ts'

const w = words.again

/** Covers a page whose session has ended while something was typed into it; after the sign-in the page is there as it was. */
export function SignInAgain({ user, why }: { user: User; why: string }) {
  const element = useRef<HTMLDialogElement>(null)
  const enter = useMutation({ mutationFn: (password: string) => signIn(user.username, password) })
  const prove = useMutation({ mutationFn: proveSecondFactor })
  const open = () => element.current && !element.current.open && element.current.showModal()
  useLayoutEffect(() => {
    const dialog = element.current
    dialog?.showModal()
    return () => dialog?.close()
  }, [])
  const challenged = enter.data === 'challenged'
  const busy = enter.isPending || prove.isPending
  const submit = (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    if (busy) return
    if (challenged) prove.mutate(String(form.get('code')).trim())
    else enter.mutate(String(form.get('password')))
  }
  return (
    <dialog
      ref={element}
      className="cover"
      aria-labelledby="again-title"
      onCancel={(e) => e.preventDefault()}
      onClose={open} // a browser may close it on a second Escape all the same
    >
      <form className="stack" method="post" onSubmit={submit}>
        <Brand />
        <h2 id="again-title">{w.title}</h2>
        <p className="alert info">{why}</p>
        <p>{w.kept(user.username)}</p>
        <input type="hidden" name="username" autoComplete="username" value={user.username} />
        <Refusal error={challenged ? prove.error : enter.error} />
        {challenged ? (
          <Field label={words.secondFactor.code}>
            {(c) => (
              <input {...c} key="code" name="code" autoFocus autoComplete="one-time-code" required maxLength={64} />
            )}
          </Field>
        ) : (
          <Password label={words.password} name="password" kind="current" />
        )}
        <div className="row">
          <button type="submit" className="button primary" aria-disabled={busy}>
            {words.login.submit}
          </button>
          <button type="button" className="button" onClick={leave}>
            {w.leave}
          </button>
        </div>
      </form>
    </dialog>
  )
}
