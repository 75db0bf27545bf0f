import { Navigate, useNavigate, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { AskedProof } from '../auth/asked.tsx'
import { enrolled, session, signOut } from '../auth/session.ts'
import { BackupCodes } from '../factor/codes.tsx'
import { Enrol } from '../factor/enrol.tsx'
import { words } from '../i18n/en/settings.ts'
import { useStore } from '../lib/store.ts'
import { Gate } from '../ui/gate.tsx'

const w = words.factor

/** Where a second factor is required and the account has none, this is all there is. */
export function EnrolPage() {
  const now = useStore(session)
  const { next } = useSearch({ from: '/auth/enrol' })
  const navigate = useNavigate()
  const [codes, setCodes] = useState<string[]>()
  if (now.status !== 'in') return <Navigate to="/auth/login" search={{ next }} replace />
  if (!now.enrolling) return next ? <Navigate to={next} replace /> : <Navigate to="/dashboard" replace />
  const go = async () => {
    enrolled()
    await navigate({ to: next ?? '/dashboard', replace: true })
  }
  return (
    <Gate title={w.mustTitle}>
      {codes ? (
        <BackupCodes codes={codes} done={w.mustDone} onDone={() => void go()} />
      ) : (
        <>
          <p>{w.must}</p>
          <Enrol onEnabled={setCodes} />
          <button type="button" className="button quiet" onClick={() => void signOut()}>
            {w.signOut}
          </button>
          <AskedProof />
        </>
      )}
    </Gate>
  )
}
