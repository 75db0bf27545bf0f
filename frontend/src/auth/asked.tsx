import { lazy, Suspense } from 'react'
import { useStore } from '../lib/store.ts'
import { asked } from './proof.ts'

const Proof = lazy(async () => ({ default: (await import('./proof.tsx')).Proof }))

/** Where the password is asked for once more, on every page whose requests may be answered that way. */
export function AskedProof() {
  const proof = useStore(asked)
  if (!proof) return null
  return (
    <Suspense>
      <Proof end={proof.end} />
    </Suspense>
  )
}
