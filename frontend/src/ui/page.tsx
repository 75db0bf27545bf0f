import { useEffect, useRef } from 'react'
import { words } from '../i18n/en/core.ts'

/** A page's heading with its main actions. The focus goes to the heading on arrival, so that a screen reader tells the page. */
export function PageHead({
  title,
  children,
  beside,
}: {
  title: string
  children?: React.ReactNode
  beside?: React.ReactNode
}) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${title} · ${words.product}`
  }, [title])
  useEffect(() => {
    if (document.activeElement === document.body || document.activeElement?.closest('.sidenav'))
      heading.current?.focus({ preventScroll: true })
  }, [])
  return (
    <div className="page-head">
      <div className="row">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {beside}
      </div>
      <div className="row">{children}</div>
    </div>
  )
}

/** Marks for measurements that the page's own data is on the screen: browsers call a heading the largest paint. */
export function Ready() {
  useEffect(() => {
    performance.mark('nc:ready')
  }, [])
  return null
}
