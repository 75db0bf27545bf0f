import { useState } from 'react'
import type { VMSummary } from '../api/client.ts'
import { words } from '../i18n/en/vms.ts'
import { useStore } from '../lib/store.ts'
import { Action } from '../ui/action.tsx'
import { Field } from '../ui/field.tsx'
import { FormDialog } from '../ui/form.tsx'
import { State } from '../ui/state.tsx'
import { type BulkVerb, bulk, bulkVerbs, type Item, isRunning, pointless, retryFailed, startBulk } from './bulk.ts'

const w = words.bulk

type BarProps = { chosen: readonly VMSummary[]; clear: () => void; children: React.ReactNode }

/** What can be done to the chosen VMs. */
export function BulkBar({ chosen, clear, children }: BarProps) {
  const [asked, setAsked] = useState<BulkVerb>()
  const running = isRunning(useStore(bulk))
  return (
    <div className="bulk" role="toolbar" aria-label={w.bar}>
      <strong role="status">{w.chosen(chosen.length)}</strong>
      {children}
      <span className="grow" />
      {bulkVerbs.map((verb) => (
        <Action
          key={verb}
          label={words.verbs[verb] ?? verb}
          className={verb === 'delete' || verb === 'force_stop' ? 'danger' : ''}
          why={running ? w.busy : undefined}
          onAction={() => setAsked(verb)}
        />
      ))}
      <button type="button" className="button quiet" onClick={clear}>
        {w.clear}
      </button>
      {asked ? (
        <Ask
          verb={asked}
          chosen={chosen}
          onClose={() => setAsked(undefined)}
          onGo={() => {
            startBulk(asked, chosen)
            setAsked(undefined)
            clear()
          }}
        />
      ) : null}
    </div>
  )
}

const told = 8 // names in a sentence; more are counted

function Ask({ verb, chosen, onClose, onGo }: { verb: BulkVerb; chosen: readonly VMSummary[]; onClose: () => void; onGo: () => void }) {
  const [typed, setTyped] = useState('')
  const will = chosen.filter((vm) => !pointless(verb, vm))
  const not = chosen.filter((vm) => pointless(verb, vm))
  const list = (vms: readonly VMSummary[]) => w.names(vms.slice(0, told).map((v) => v.name), vms.length - told)
  const word = words.verbs[verb] ?? verb
  const sure = verb !== 'delete' || typed === String(will.length)
  return (
    <FormDialog title={w.title(word, will.length)} submit={word} danger={verb === 'delete' || verb === 'force_stop'} busy={will.length === 0 || !sure} onClose={onClose} onSubmit={onGo}>
      {will.length > 0 ? <p>{w.will(list(will))}</p> : <p>{w.none}</p>}
      {not.length > 0 ? <p className="alert warn">{w.skips(not.length, list(not))}</p> : null}
      {verb === 'delete' ? (
        <>
          <p className="alert">{w.deleteText}</p>
          <Field label={w.deleteType(will.length)}>
            {(c) => <input {...c} autoComplete="off" inputMode="numeric" value={typed} onChange={(e) => setTyped(e.target.value)} />}
          </Field>
        </>
      ) : null}
    </FormDialog>
  )
}

const tones = { waiting: 'idle', running: 'busy', done: 'ok', skipped: 'idle', failed: 'danger' } as const

/** How it went with each, until somebody closes it. */
export function BulkPanel() {
  const now = useStore(bulk)
  if (!now) return null
  const of = (state: Item['state']) => now.items.filter((i) => i.state === state)
  const [done, failed, skipped] = [of('done'), of('failed'), of('skipped')]
  const running = isRunning(now)
  const ended = now.items.length - of('waiting').length - of('running').length
  return (
    <section className="card stack bulk-panel" aria-label={w.results}>
      <div className="row">
        <strong role="status">{w.progress(words.verbs[now.verb] ?? now.verb, done.length, failed.length, skipped.length)}</strong>
        <span className="grow" />
        {failed.length > 0 && !running ? (
          <button type="button" className="button" onClick={retryFailed}>
            {w.retry}
          </button>
        ) : null}
        <Action label={words.common.close} why={running ? w.busy : undefined} onAction={() => bulk.set(undefined)} />
      </div>
      {running ? <progress value={ended} max={now.items.length} aria-label={w.results} /> : null}
      <details open={failed.length > 0 && !running}>
        <summary>{w.each}</summary>
        <ul className="list" tabIndex={0} aria-label={w.each}>
          {[...failed, ...of('running'), ...of('waiting'), ...skipped, ...done].slice(0, 200).map((i) => (
            <li key={i.id}>
              <span>
                {i.name} {i.why ? <span className="why">{i.why}</span> : null}
              </span>
              <State word={w.states[i.state]} tone={tones[i.state]} />
            </li>
          ))}
        </ul>
      </details>
    </section>
  )
}
