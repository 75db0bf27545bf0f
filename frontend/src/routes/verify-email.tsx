import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Problem } from '../api/problem.ts'
import { confirmEmail, verifyEmail } from '../auth/post.ts'
import { Resend } from '../auth/resend.tsx'
import { useSecret } from '../auth/secret.ts'
import { words } from '../i18n/en/account.ts'
import { Gate } from '../ui/gate.tsx'
import { Refusal } from '../ui/refusal.tsx'
import { ErrorView } from '../ui/views.tsx'

const w = words.verify

/** With a link's secret it confirms at once; without one, or when the link is of no use, it asks for another mail. */
export function VerifyEmailPage() {
  const { secret: token } = useSecret('/auth/verify-email')
  return (
    <Gate title={w.title}>
      {token ? (
        <Confirm token={token} by={verifyEmail}>
          <Resend />
        </Confirm>
      ) : (
        <Resend />
      )}
      <Link to="/auth/login">{words.toLogin}</Link>
    </Gate>
  )
}

/** The same for the new address of an account. Another mail is asked for in the settings. */
export function ConfirmEmailPage() {
  const { secret: token } = useSecret('/auth/confirm-email')
  return (
    <Gate title={w.newTitle}>
      {token ? (
        <Confirm token={token} by={confirmEmail}>
          <p>{w.newAgain}</p>
        </Confirm>
      ) : (
        <p>{w.newAgain}</p>
      )}
      <Link to="/settings">{words.toSettings}</Link>
    </Gate>
  )
}

type Way = { token: string; by: (request: { token: string }) => Promise<unknown>; children: React.ReactNode }

/** children: the way out when the link is of no use. */
function Confirm({ token, by, children }: Way) {
  // A query, since it is asked once however often the page is drawn: the secret is good once.
  const confirm = useQuery({
    queryKey: ['verify-email', token] as const,
    queryFn: () => by({ token }).then(() => true),
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnReconnect: false,
  })
  if (confirm.isSuccess)
    return (
      <p role="status" className="alert done">
        {w.done}
      </p>
    )
  if (confirm.isPending) return <p role="status">{w.running}</p>
  if (confirm.error instanceof Problem && confirm.error.status === 401)
    return (
      <>
        <Refusal error={confirm.error} />
        {children}
      </>
    )
  return <ErrorView error={confirm.error} retry={() => void confirm.refetch()} />
}
