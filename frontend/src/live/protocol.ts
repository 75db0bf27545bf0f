import type { Event } from '../api/client.ts'

/** Frames that the server sends on /ws/events/v1. */
export type Frame = { type: 'ready'; cursor: string } | { type: 'ping' } | Event

/** Reads a frame. null: not one of ours; the connection goes on, since later versions may say more. */
export function readFrame(text: string): Frame | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null || !('type' in value) || typeof value.type !== 'string') return null
  if (value.type === 'ping') return { type: 'ping' }
  if (value.type === 'ready') return 'cursor' in value ? { type: 'ready', cursor: String(value.cursor) } : null
  if (
    !('subject' in value) ||
    typeof value.subject !== 'string' ||
    !('time' in value) ||
    typeof value.time !== 'string'
  )
    return null
  return value as Event // type, subject and time were looked at; data is read with care by the reducer
}

/** Close codes of the server. */
export const closes = {
  signedOut: 4401,
  taken: 4403,
  noAuth: 4408,
  inUse: 4409,
  tooOld: 4410,
  tooMany: 4429,
} as const
