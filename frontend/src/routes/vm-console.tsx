import { useSuspenseQuery } from '@tanstack/react-query'
import { Link, useParams, useSearch } from '@tanstack/react-router'
import { lazy, Suspense, useEffect, useRef, useState } from 'react'
import type { VM } from '../api/client.ts'
import { vm } from '../api/queries.ts'
import { useRights } from '../auth/rights.ts'
import { type Kind, Line, type Standing } from '../console/line.ts'
import type { Combination } from '../console/screen.tsx'
import { words } from '../i18n/en/vm.ts'
import type { Tone } from '../lib/state.ts'
import { Action } from '../ui/action.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { Menu } from '../ui/menu.tsx'
import { Ready } from '../ui/page.tsx'
import { State } from '../ui/state.tsx'
import { toastError } from '../ui/toast.tsx'
import { Skeleton } from '../ui/views.tsx'
import { reason } from '../vm/power.ts'

const Serial = lazy(async () => ({
  default: (await import('../console/serial.tsx')).Serial,
}))
const Screen = lazy(async () => ({
  default: (await import('../console/screen.tsx')).Screen,
}))
const w = words.console
// Named here, since the numbers of the keys come with the screen, when it is opened.
const combinations = [
  'Ctrl+Alt+Del',
  'Ctrl+Alt+F1',
  'Ctrl+Alt+F2',
  'Ctrl+Alt+Backspace',
  'Alt+Tab',
  'Alt+F4',
  'Super',
  'Esc',
] as const satisfies readonly Combination[]

export function VMConsole() {
  const { id } = useParams({ from: '/shell/vms/$id/console' })
  const { kind = 'serial' } = useSearch({ from: '/shell/vms/$id/console' })
  const { data: v } = useSuspenseQuery(vm(id))
  const refused = reason(v, 'console')
  return (
    <div className="stack">
      <nav className="row" aria-label={w.kind}>
        <KindLink id={id} kind="serial" now={kind} />
        {v.display ? <KindLink id={id} kind="vnc" now={kind} /> : <span className="muted">{w.noDisplay}</span>}
      </nav>
      {refused ? (
        <div className="alert info">
          <p>{refused}</p>
          {v.status === 'running' ? null : <p>{w.off(v.status)}</p>}
        </div>
      ) : (
        <Console key={`${v.id}/${kind}`} vm={v} kind={kind} />
      )}
      <Ready />
    </div>
  )
}

function KindLink({ id, kind, now }: { id: string; kind: Kind; now: Kind }) {
  return (
    <Link
      to="/vms/$id/console"
      params={{ id }}
      search={{ kind }}
      className="button"
      aria-current={kind === now ? 'true' : undefined}
      activeProps={{}}
    >
      {kind === 'serial' ? w.serial : w.screen}
    </Link>
  )
}

function Console({ vm: v, kind }: { vm: VM; kind: Kind }) {
  const root = useRef<HTMLDivElement>(null)
  const [line] = useState(() => new Line(v.id, kind))
  const [standing, setStanding] = useState<Standing>({ is: 'connecting' })
  const [type, setType] = useState<((text: string) => void) | null>(null)
  const [keys, setKeys] = useState<((combination: Combination) => void) | null>(null)
  const [pasting, setPasting] = useState(false)
  // Functions are values here: React would call them as updates.
  const [offerType] = useState(() => (ready: ((text: string) => void) | null) => setType(() => ready))
  const [offerKeys] = useState(() => (ready: ((combination: Combination) => void) | null) => setKeys(() => ready))
  const { consoles, known } = useRights()
  const ready = type !== null && known

  useEffect(() => {
    if (!ready) return
    line.onStanding = setStanding
    void line.open(consoles ? 'ask' : 'watch')
    return () => line.close()
  }, [line, ready, consoles])

  const typing = standing.is === 'open' && standing.you === 'typing'
  const refused = consoles ? undefined : words.common.forbidden('vm.console')
  const why = typing ? undefined : (refused ?? w.ended)
  return (
    <div ref={root} className="console">
      <div className="row">
        <Status standing={standing} />
        <span className="grow" />
        <Action label={w.paste} why={why} onAction={() => setPasting(true)} />
        {kind === 'vnc' ? (
          <Menu label={w.keys} face={w.keys}>
            {combinations.map((each) => (
              <Action key={each} label={each} why={why} explain className="quiet" onAction={() => keys?.(each)} />
            ))}
          </Menu>
        ) : null}
        <button type="button" className="button" onClick={() => void toggleFullscreen(root.current)}>
          {w.fullscreen}
        </button>
      </div>
      <Prompt standing={standing} line={line} refused={refused} />
      <Suspense fallback={<Skeleton lines={8} />}>
        {kind === 'serial' ? (
          <Serial line={line} type={offerType} />
        ) : (
          <Screen
            line={line}
            type={offerType}
            keys={offerKeys}
            watching={standing.is === 'open' && standing.you === 'watching'}
          />
        )}
      </Suspense>
      {pasting ? <Paste kind={kind} onClose={() => setPasting(false)} onType={(text) => type?.(text)} /> : null}
    </div>
  )
}

/** Browsers may refuse: in a frame, or by a policy of the machine. */
async function toggleFullscreen(element: HTMLElement | null) {
  try {
    if (document.fullscreenElement) await document.exitFullscreen()
    else await element?.requestFullscreen()
  } catch {
    toastError(new Error(w.noFullscreen))
  }
}

function Status({ standing: s }: { standing: Standing }) {
  const [word, tone] = ((): [string, Tone] => {
    switch (s.is) {
      case 'connecting':
        return [w.connecting, 'busy']
      case 'open':
        return s.you === 'typing' ? [w.connected, 'ok'] : [w.watching, 'ok']
      case 'lost':
        return [w.lost, 'warn']
      case 'in use':
      case 'taken':
        return [w.ended, 'idle']
    }
  })()
  return (
    <span role="status" className="row">
      <State word={word} tone={tone} />
      {s.is === 'open' && s.others.length > 0 ? <span className="muted">{w.also(s.others.join(', '))}</span> : null}
      {s.is === 'lost' && s.reason ? <span className="muted">{s.reason}</span> : null}
    </span>
  )
}

/** Somebody else has the keyboard: look on, or take it. refused: why not. */
function Prompt({ standing: s, line, refused }: { standing: Standing; line: Line; refused: string | undefined }) {
  const watching = s.is === 'open' && s.you === 'watching'
  if (s.is !== 'in use' && s.is !== 'taken' && !watching) return null
  return (
    <div className="alert info" role={watching ? undefined : 'alert'}>
      {watching ? null : <p>{s.is === 'in use' ? s.who || w.inUse('') : w.taken}</p>}
      <div className="row">
        {watching ? null : (
          <button type="button" className="button" onClick={() => void line.open('watch')}>
            {w.watch}
          </button>
        )}
        <Action label={w.take} why={refused} onAction={() => void line.open('take')} />
      </div>
    </div>
  )
}

function Paste({ kind, onClose, onType }: { kind: Kind; onClose: () => void; onType: (text: string) => void }) {
  const [text, setText] = useState('')
  return (
    <Dialog title={w.paste} onClose={onClose}>
      <Field label={w.pasteLabel} hint={kind === 'vnc' ? w.pasteHint : undefined}>
        {(c) => <textarea {...c} rows={5} spellCheck={false} value={text} onChange={(e) => setText(e.target.value)} />}
      </Field>
      <div className="row">
        <button type="button" className="button" onClick={onClose}>
          {words.common.cancel}
        </button>
        <button
          type="button"
          className="button primary"
          onClick={() => {
            onType(text)
            onClose()
          }}
        >
          {w.type}
        </button>
      </div>
    </Dialog>
  )
}
