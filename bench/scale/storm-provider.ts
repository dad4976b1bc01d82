import { createServer, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../test/support/ports.ts'

/** How long a grant takes, milliseconds. */
const grantMs = 20

/** A provider that answers refresh grants and counts them. */
export interface StormProvider {
  readonly issuer: string
  grants(): number
  /** Grants under way at the same time, at most. */
  mostAtOnce(): number
  /** Refresh tokens that came a second time: a strict provider would end those sessions. */
  presentedTwice(): number
  stop(): void
}

/** Starts the provider of a refresh storm; it rotates refresh tokens, and new access tokens last for hours. */
export async function startStormProvider(): Promise<StormProvider> {
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  const presented = new Set<string | null>()
  let [grants, atOnce, most] = [0, 0, 0]
  const discovery = {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/jwks`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
  }
  const grant = async (form: string): Promise<object> => {
    grants += 1
    atOnce += 1
    most = Math.max(most, atOnce)
    presented.add(new URLSearchParams(form).get('refresh_token'))
    await sleep(grantMs)
    atOnce -= 1
    const tokens = { access_token: `token-${grants}`, refresh_token: `refresh-${grants}` }
    return { ...tokens, token_type: 'Bearer', expires_in: 7_200 }
  }
  const answer = async (request: IncomingMessage): Promise<object> => {
    if (request.url === '/token') return grant(await text(request))
    return request.url === '/jwks' ? { keys: [] } : discovery
  }
  const server = createServer((request, response) => {
    void answer(request).then((body) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
    )
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    issuer,
    grants: () => grants,
    mostAtOnce: () => most,
    presentedTwice: () => grants - presented.size,
    stop() {
      server.close()
      server.closeAllConnections()
    },
  }
}
