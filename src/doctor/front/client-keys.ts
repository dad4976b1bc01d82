import type { ServerResponse } from 'node:http'
import type { Config } from '../../config/load-config.ts'
import type { Provider } from '../../oidc/provider/provider.ts'
import { type Listener, listenAsGateway } from './listener.ts'

/**
 * Answers `/client-keys` in the gateway's place: a provider that is told this address looks there before it believes anything that is signed
 * with `CLIENT_KEY`, and with the gateway stopped nobody else answers.
 *
 * @returns `undefined` when there are no keys, or the place is taken, as by the gateway itself
 */
export async function publishClientKeys(
  config: Pick<Config, 'host' | 'port' | 'authPrefix'>,
  provider: Pick<Provider, 'clientKeys'>,
): Promise<Listener | undefined> {
  if (provider.clientKeys().length === 0) return undefined
  return listenAsGateway(config, (request, response) => {
    if (isForClientKeys(request.url, config)) sayClientKeys(response, provider)
    else response.writeHead(503, { 'content-type': 'text/plain' }).end('coatcheck doctor is at work.\n')
  })
}

/** Whether a request is for the keys of the client. */
export function isForClientKeys(target = '', { authPrefix }: Pick<Config, 'authPrefix'>): boolean {
  return target.split('?', 1)[0] === `${authPrefix}/client-keys`
}

/** Says them as the gateway does. */
export function sayClientKeys(response: ServerResponse, provider: Pick<Provider, 'clientKeys'>): void {
  const headers = { 'content-type': 'application/jwk-set+json', 'cache-control': 'no-store' }
  response.writeHead(200, headers).end(JSON.stringify({ keys: provider.clientKeys() }))
}
