import { useEffect, useRef } from 'react'
import { words } from '../i18n/en/core.ts'
import { Ready } from './page.tsx'
import { Brand } from './brand.tsx'

/** A page outside the shell: one card in the middle, for who is not signed in. */
export function Gate({ title, children }: { title: string; children: React.ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${title} · ${words.product}`
    if (document.activeElement === document.body) heading.current?.focus({ preventScroll: true })
  }, [title])
  return (
    <main className="gate">
      <div className="card stack">
        <Brand />
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {children}
      </div>
      <Ready />
    </main>
  )
}
