import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, body } from '../api/client.ts'
import { factor } from '../api/queries.ts'
import { words } from '../i18n/en/settings.ts'
import { Ready } from '../ui/page.tsx'
import { State } from '../ui/state.tsx'
import { toastDone } from '../ui/toast.tsx'
import { Loaded } from '../ui/views.tsx'
import { BackupCodes } from './codes.tsx'
import { Confirm } from './confirm.tsx'
import { Enrol } from './enrol.tsx'

const w = words.factor
const few = 3 // backup codes that are left

/** The second factor of the own account: turned on, kept usable, turned off. */
export function FactorCard() {
  const client = useQueryClient()
  const query = useQuery({ ...factor(), select: (s) => ({ ...s, enabled: s.methods.includes('totp') }) })
  const [doing, setDoing] = useState<'enrol' | 'renew' | 'disable'>()
  const [codes, setCodes] = useState<string[]>()
  const ended = () => {
    setDoing(undefined)
    void client.invalidateQueries({ queryKey: factor().queryKey })
  }
  const made = (list: string[]) => {
    setCodes(list)
    ended()
  }
  return (
    <section className="card stack">
      <Loaded query={query}>
        {(status) => (
          <>
            <div className="row">
              <h2>{w.title}</h2>
              <State word={status.enabled ? w.on : w.off} tone={status.enabled ? 'ok' : 'idle'} />
            </div>
            {codes ? (
              <BackupCodes codes={codes} done={w.done} onDone={() => setCodes(undefined)} />
            ) : status.enabled ? (
              <On left={status.backup_codes_left} onRenew={() => setDoing('renew')} onDisable={() => setDoing('disable')} />
            ) : doing === 'enrol' ? (
              <Enrol onEnabled={made} onCancel={() => setDoing(undefined)} />
            ) : (
              <Off required={status.required} onBegin={() => setDoing('enrol')} />
            )}
            <Ready />
          </>
        )}
      </Loaded>
      {doing === 'renew' ? <Renew onClose={() => setDoing(undefined)} onMade={made} /> : null}
      {doing === 'disable' ? <Disable onClose={() => setDoing(undefined)} onDone={ended} /> : null}
    </section>
  )
}

function Off({ required, onBegin }: { required: boolean; onBegin: () => void }) {
  return (
    <>
      <p>
        {w.offText} {required ? w.required : ''}
      </p>
      <div>
        <button type="button" className="button primary" onClick={onBegin}>
          {w.begin}
        </button>
      </div>
    </>
  )
}

function On({ left, onRenew, onDisable }: { left: number; onRenew: () => void; onDisable: () => void }) {
  return (
    <>
      <p className={left <= few ? 'alert warn' : undefined}>
        {w.left(left)}. {left <= few ? w.few : ''}
      </p>
      <div className="row">
        <button type="button" className="button" onClick={onRenew}>
          {w.renew}
        </button>
        <button type="button" className="button danger" onClick={onDisable}>
          {w.disable}
        </button>
      </div>
    </>
  )
}

function Renew({ onClose, onMade }: { onClose: () => void; onMade: (codes: string[]) => void }) {
  const renew = useMutation({
    mutationFn: (password: string) => body(api.POST('/api/auth/2fa/backup-codes', { body: { password } })),
    onSuccess: (made) => onMade(made.backup_codes),
  })
  return (
    <Confirm title={w.renew} text={w.renewText} submit={w.renewSubmit} of={renew} onClose={onClose} />
  )
}

function Disable({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const disable = useMutation({
    mutationFn: (password: string) => api.POST('/api/auth/2fa/disable', { body: { password } }),
    onSuccess: () => {
      toastDone(w.disabled)
      onDone()
    },
  })
  return (
    <Confirm title={w.disableTitle} text={w.disableText} submit={w.disable} danger of={disable} onClose={onClose} />
  )
}
