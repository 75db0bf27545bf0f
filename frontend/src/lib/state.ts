/** What a state means at a glance: the colour and the shape of its mark. */
export type Tone = 'ok' | 'busy' | 'warn' | 'danger' | 'idle' | 'unknown'

const tones: Record<string, Tone> = {
  running: 'ok',
  alive: 'ok',
  ready: 'ok',
  succeeded: 'ok',
  active: 'ok',
  creating: 'busy',
  starting: 'busy',
  stopping: 'busy',
  migrating: 'busy',
  joining: 'busy',
  queued: 'busy',
  uploading: 'busy',
  importing: 'busy',
  reverting: 'busy',
  deleting: 'busy',
  paused: 'warn',
  suspended: 'idle',
  undoing: 'warn',
  stuck: 'warn',
  canceled: 'idle',
  stopped: 'idle',
  disabled: 'idle',
  error: 'danger',
  failed: 'danger',
  lost: 'danger',
  dead: 'danger',
}

/** The tone of a state's word. An operation that runs is busy, a VM that runs is well. */
export function toneOf(state: string, of: 'thing' | 'operation' = 'thing'): Tone {
  if (of === 'operation' && state === 'running') return 'busy'
  return tones[state] ?? 'unknown'
}
