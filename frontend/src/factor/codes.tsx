import { useState } from 'react'
import { words } from '../i18n/en/settings.ts'
import { Copy } from '../ui/copy.tsx'
import { Check } from '../ui/field.tsx'

const w = words.factor

type Props = { codes: string[]; done: string; onDone: () => void }

/** Backup codes, which the server gives out once: they stay until somebody says that they are kept. */
export function BackupCodes({ codes, done, onDone }: Props) {
  const [kept, setKept] = useState(false)
  const text = `${codes.join('\n')}\n`
  return (
    <div className="stack codes-kept">
      <h3>{w.codesTitle}</h3>
      <p>{w.codesText}</p>
      <ul className="codes mono">
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ul>
      <div className="row">
        <Copy text={text} label={w.copy} />
        <button type="button" className="button" onClick={() => download(w.file, text)}>
          {w.download}
        </button>
        <button type="button" className="button" onClick={() => print()}>
          {w.print}
        </button>
      </div>
      <Check label={w.kept} checked={kept} onChange={(e) => setKept(e.target.checked)} />
      <div>
        <button type="button" className="button primary" aria-disabled={!kept} onClick={() => kept && onDone()}>
          {done}
        </button>
      </div>
    </div>
  )
}

function download(name: string, text: string) {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}
