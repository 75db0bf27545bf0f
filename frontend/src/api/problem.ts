import type { components } from './schema.d.ts'

type Wire = components['schemas']['Problem']

/** What the API, or the way to it, answered in place of a result. status 0: nothing answered at all. */
export class Problem extends Error {
  override name = 'Problem'
  readonly status: number
  readonly code: string
  readonly field: string | undefined
  readonly fields: { field: string; message: string }[]
  readonly requestId: string
  /** Seconds to wait before another try makes sense. */
  readonly retryAfter: number | undefined

  constructor(status: number, wire: Partial<Wire>, retryAfter?: number) {
    super(wire.detail || wire.title || `The server answered ${status}.`)
    this.status = status
    this.code = wire.code ?? ''
    this.field = wire.field
    this.fields = wire.fields ?? []
    this.requestId = wire.request_id ?? ''
    this.retryAfter = retryAfter
  }
}

/** The sentence of an error for people. */
export function sentence(error: unknown): string {
  if (error instanceof Error && error.message) {
    const text = error.message
    return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? '' : '.')
  }
  return String(error)
}

/** Reads an answer that is no success. */
export async function problemOf(response: Response): Promise<Problem> {
  const after = Number(response.headers.get('Retry-After') ?? Number.NaN)
  let wire: Partial<Wire> = {}
  try {
    wire = await response.clone().json()
  } catch {
    wire = {
      title: `The server answered ${response.status} ${response.statusText}`.trim(),
    }
  }
  if (!wire.request_id) wire.request_id = response.headers.get('X-Request-Id') ?? ''
  return new Problem(response.status, wire, Number.isFinite(after) ? after : undefined)
}
