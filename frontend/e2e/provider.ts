import { generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server as HTTP } from 'node:http'
import type { AddressInfo } from 'node:net'

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const key = 'first'

/** An OpenID provider at which everybody is the same person already: it sends browsers back at once. */
export class Provider {
  readonly url: string
  private readonly http: HTTP
  private readonly nonces = new Map<string, string>()
  private readonly person: Record<string, unknown>

  private constructor(http: HTTP, person: Record<string, unknown>) {
    this.http = http
    this.person = person
    this.url = `http://localhost:${(http.address() as AddressInfo).port}` // listens on a port
    http.on('request', (request, response) => {
      const asked = new URL(request.url ?? '', this.url)
      const answer = (what: unknown) => response.setHeader('Content-Type', 'application/json').end(JSON.stringify(what))
      switch (asked.pathname) {
        case '/.well-known/openid-configuration':
          return answer(this.configuration())
        case '/keys':
          return answer({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: key, alg: 'RS256', use: 'sig' }] })
        case '/authorize':
          return response.writeHead(302, { Location: this.back(asked.searchParams) }).end()
        case '/token': {
          let sent = ''
          request.on('data', (text) => (sent += text))
          return request.on('end', () => answer(this.tokens(new URLSearchParams(sent).get('code') ?? '')))
        }
        default:
          return response.writeHead(404).end()
      }
    })
  }

  static async start(person: Record<string, unknown>): Promise<Provider> {
    const http = createServer().listen(0, 'localhost')
    await once(http, 'listening')
    return new Provider(http, person)
  }

  stop() {
    this.http.closeAllConnections()
    this.http.close()
  }

  private configuration() {
    return {
      issuer: this.url,
      authorization_endpoint: `${this.url}/authorize`,
      token_endpoint: `${this.url}/token`,
      jwks_uri: `${this.url}/keys`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
    }
  }

  private back(asked: URLSearchParams): string {
    const code = `code-${this.nonces.size}`
    this.nonces.set(code, asked.get('nonce') ?? '')
    return `${asked.get('redirect_uri')}?${new URLSearchParams({ code, state: asked.get('state') ?? '' })}`
  }

  private tokens(code: string) {
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: this.url, aud: 'novacron', iat: now, exp: now + 300, nonce: this.nonces.get(code), ...this.person }
    const part = (what: unknown) => Buffer.from(JSON.stringify(what)).toString('base64url')
    const signed = `${part({ alg: 'RS256', typ: 'JWT', kid: key })}.${part(claims)}`
    return {
      access_token: 'for nothing',
      token_type: 'Bearer',
      expires_in: 300,
      id_token: `${signed}.${sign('RSA-SHA256', Buffer.from(signed), privateKey).toString('base64url')}`,
    }
  }
}
