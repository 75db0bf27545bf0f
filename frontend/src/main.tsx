import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Problem } from './api/problem.ts'
import { ownerOf, session } from './auth/session.ts'
import { forgetTyped, watchTyping } from './auth/typed.ts'
import { router, safeNext } from './router.tsx'
import './styles/tokens.css'
import './styles/base.css'
import './styles/shell.css'
import './styles/pages.css'

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000, // events make things old before
      refetchOnWindowFocus: false,
      retry: (failures, error) =>
        failures < 2 && error instanceof Problem && (error.status === 0 || error.status >= 500),
    },
  },
})

// Nothing of one account may be seen by the next, and a page that shows data is no place for who is signed out.
let before = session.get()
session.subscribe(() => {
  const [was, now] = [before, session.get()]
  before = now
  if (!ownerOf(was)) return
  const next = safeNext(router.state.location.href)
  if (!ownerOf(now)) {
    client.clear()
    void router.navigate({ to: '/auth/login', search: { next: now.status === 'out' && now.reason ? next : undefined } })
  } else if (now.status === 'in' && now.enrolling && !(was.status === 'in' && was.enrolling)) {
    void router.navigate({ to: '/auth/enrol', search: { next } })
  } else if (was.status === 'out') {
    void client.invalidateQueries() // what went by while the page was covered
  }
})
watchTyping()
router.subscribe('onResolved', ({ pathChanged }) => pathChanged && forgetTyped())

// A chunk of an older build is gone after an update: the page is loaded again, once. From a server that does not answer nothing
// would come in place of what is shown.
window.addEventListener('vite:preloadError', async () => {
  if (sessionStorage.getItem('novacron-reloaded') === location.href) return
  const answers = await fetch('/api/health').then((r) => r.ok, () => false)
  if (!answers) return
  sessionStorage.setItem('novacron-reloaded', location.href)
  location.reload()
})

const element = document.getElementById('root')
if (!element) throw new Error('index.html has no element #root')
createRoot(element).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
)
