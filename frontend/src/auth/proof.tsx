import { useMutation } from '@tanstack/react-query'
import { Confirm } from '../factor/confirm.tsx'
import { words } from '../i18n/en/settings.ts'
import { prove } from './session.ts'

const w = words.proof

/** Asks for the password once more, before what a session that was left open must not do. */
export function Proof({ end }: { end: (proven: boolean) => void }) {
  const work = useMutation({ mutationFn: prove, onSuccess: () => end(true) })
  return <Confirm title={w.title} text={w.text} submit={w.submit} of={work} onClose={() => end(false)} />
}
