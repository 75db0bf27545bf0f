import { words } from '../i18n/en/settings.ts'
import { FormDialog, faultsOf } from '../ui/form.tsx'
import { Password } from '../ui/password.tsx'

type Work = { isPending: boolean; error: unknown; mutate: (password: string) => void }

/** Asks for the password before what a stolen session must not do. */
export function Confirm({
  title,
  text,
  submit,
  danger,
  of: work,
  onClose,
}: {
  title: string
  text: string
  submit: string
  danger?: boolean
  of: Work
  onClose: () => void
}) {
  const { at, whole } = faultsOf(work.error, ['password'])
  return (
    <FormDialog
      title={title}
      submit={submit}
      busy={work.isPending}
      error={whole}
      danger={danger}
      onClose={onClose}
      onSubmit={(form) => work.mutate(String(form.get('password')))}
    >
      <p>{text}</p>
      <Password label={words.present} name="password" kind="current" fault={at.password} />
    </FormDialog>
  )
}
