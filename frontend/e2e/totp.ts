import { createHmac } from 'node:crypto'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const step = 30_000 // ms

function bytes(base32: string): Buffer {
  const bits = [...base32].map((c) => alphabet.indexOf(c).toString(2).padStart(5, '0')).join('')
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((b) => Number.parseInt(b, 2)))
}

/** What an authenticator app shows for the secret (RFC 6238: SHA-1, six digits), `later` steps of 30 s from now: the server takes
 * each step once, and the one before and after too. The first code is that of now and the second that of one later: a step that
 * ends between here and there leaves both good. */
export function totp(secret: string, later = 0): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / step) + later))
  const mac = createHmac('sha1', bytes(secret)).update(counter).digest()
  const at = (mac.at(-1) ?? 0) & 15
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}
