import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Problem } from '../api/problem.ts'
import { verifyEmail } from '../auth/post.ts'
import { Resend } from '../auth/resend.tsx'
import { useSecret } from '../auth/secret.ts'
import { words } from '../i18n/account.ts'
import { Gate } from '../ui/gate.tsx'
import { Refusal } from '../ui/refusal.tsx'
import { ErrorView } from '../ui/views.tsx'

const w = words.verify

/** With a link's secret it confirms at once; without one, or when the link is of no use, it asks for another mail. */
export function VerifyEmailPage() {
  const { secret: token } = useSecret('/auth/verify-email')
  return (
    <Gate title={w.title}>
      {token ? <Confirm token={token} /> : <Resend />}
      <Link to="/auth/login">{words.toLogin}</Link>
    </Gate>
  )
}

function Confirm({ token }: { token: string }) {
  // A query, since it is asked once however often the page is drawn: the secret is good once.
  const confirm = useQuery({
    queryKey: ['verify-email', token] as const,
    queryFn: () => verifyEmail({ token }).then(() => true),
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
        <Resend />
      </>
    )
  return <ErrorView error={confirm.error} retry={() => void confirm.refetch()} />
}
