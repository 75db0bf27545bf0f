import { useMutation } from '@tanstack/react-query'
import { FormDialog } from './form.tsx'

type Props = {
  title: string
  /** The word of the button that does it. */
  submit: string
  /** What else goes, and what stays. */
  text: string
  /** What the server will refuse it for, known before it is asked. */
  warning?: string | undefined
  act: () => Promise<unknown>
  /** After it was done; the dialog closes by itself. */
  onDone?: () => void
  onClose: () => void
}

/** Asks once before something is lost. The focus is on the way back; a refusal stays on the screen with its reason. */
export function ConfirmDialog({ title, submit, text, warning, act, onDone, onClose }: Props) {
  const work = useMutation({
    mutationFn: act,
    onSuccess: () => {
      onDone?.()
      onClose()
    },
  })
  return (
    <FormDialog title={title} submit={submit} danger busy={work.isPending} error={work.error} onClose={onClose} onSubmit={() => work.mutate()}>
      <p>{text}</p>
      {warning ? <p className="alert warn">{warning}</p> : null}
    </FormDialog>
  )
}
