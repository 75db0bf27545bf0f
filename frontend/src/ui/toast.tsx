import { sentence } from '../api/problem.ts'
import { words } from '../i18n/en/core.ts'
import { createStore, useStore } from '../lib/store.ts'

type Toast = { id: number; kind: 'done' | 'error'; text: string }
const toasts = createStore<readonly Toast[]>([])
const brief = 5_000 // ms that good news stay; bad news stay until they are closed
let last = 0

const close = (id: number) => toasts.update((list) => list.filter((t) => t.id !== id))

function show(kind: Toast['kind'], text: string) {
  const id = ++last
  toasts.update((list) => [...list.slice(-4), { id, kind, text }])
  if (kind === 'done') setTimeout(() => close(id), brief)
}

export const toastDone = (text: string) => show('done', text)
export const toastError = (error: unknown) => show('error', sentence(error))

export function Toasts() {
  const list = useStore(toasts)
  return (
    <div className="toasts" role="status" aria-live="polite">
      {list.map((t) => (
        <div key={t.id} className={`toast ${t.kind}`}>
          <span>{t.text}</span>
          <button type="button" className="button quiet" aria-label={words.errors.dismiss} onClick={() => close(t.id)}>
            ✕
          </button>
        </div>
      ))}
    </div>
  )
}
