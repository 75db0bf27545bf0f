import type { Schemas } from '../api/client.ts'
import { words } from '../i18n/en/core.ts'

const w = words.passkey

// The parsers are newer than WebAuthn itself; without them a browser is treated as one that has no passkeys.
export const canPasskey = () =>
  typeof PublicKeyCredential !== 'undefined' && 'parseCreationOptionsFromJSON' in PublicKeyCredential

type Challenge = Schemas['PasskeyChallenge']

/** Lets the browser make a passkey, and gives what the server takes. */
export async function makePasskey(challenge: Challenge): Promise<unknown> {
  const { publicKey } = challenge.options as { publicKey: PublicKeyCredentialCreationOptionsJSON }
  return ceremony(() =>
    navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) }),
  )
}

/** Lets the browser prove that it has a passkey. */
export async function usePasskey(challenge: Challenge): Promise<unknown> {
  const { publicKey } = challenge.options as { publicKey: PublicKeyCredentialRequestOptionsJSON }
  return ceremony(() =>
    navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) }),
  )
}

async function ceremony(ask: () => Promise<Credential | null>): Promise<unknown> {
  let made: Credential | null
  try {
    made = await ask()
  } catch (error) {
    const name = error instanceof DOMException ? error.name : ''
    if (name === 'InvalidStateError') throw new Error(w.known)
    if (name === 'NotAllowedError' || name === 'AbortError') throw new Error(w.left)
    if (name === 'SecurityError') throw new Error(w.origin)
    throw error
  }
  if (!made) throw new Error(w.left)
  return (made as PublicKeyCredential).toJSON()
}
