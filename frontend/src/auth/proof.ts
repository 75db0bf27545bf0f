import { createStore } from '../lib/store.ts'

/** Who waits until the person has proven once more to be there. All that ask meanwhile wait for the same answer. */
type Asked = { answer: Promise<boolean>; end: (proven: boolean) => void }

export const asked = createStore<Asked | undefined>(undefined)

/** Asks for the password once more, over whatever is on the screen. False: the person does not want to. */
export function askProof(): Promise<boolean> {
  const now = asked.get()
  if (now) return now.answer
  let resolve: (proven: boolean) => void = () => undefined
  const answer = new Promise<boolean>((r) => {
    resolve = r
  })
  const end = (proven: boolean) => {
    asked.set(undefined)
    resolve(proven)
  }
  asked.set({ answer, end })
  return answer
}
