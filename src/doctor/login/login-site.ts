import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Config } from '../../config/load-config.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import { readStart } from '../../network/answer-start.ts'
import type { CompletedLogin, LoginTransaction, Provider } from '../../oidc/provider/provider.ts'
import { isForClientKeys, sayClientKeys } from '../front/client-keys.ts'
import { type Listener, listenAsGateway } from '../front/listener.ts'

/** The two pages of a gateway that one login needs. */
export interface LoginSite extends Listener {
  /** Where a person begins; good for nobody who has not seen it. */
  readonly url: URL
  /** The first login that comes back; rejects with a `GatewayError` when the provider or a check refuses it. */
  readonly completed: Promise<CompletedLogin>
}

const nonceBytes = 16
/** More than any authorization response has, bytes. */
const longestFormBytes = 32 * 1024
/** Somebody may begin again after a mistake, but not for ever. */
const mostTransactions = 20

/**
 * Opens it in the gateway's place.
 *
 * @param baseUrl the loopback origin under which the browser comes
 * @returns `undefined` when the place is taken
 */
export async function openLoginSite(
  config: Pick<Config, 'host' | 'port' | 'authPrefix' | 'responseMode'>,
  baseUrl: URL,
  provider: Provider,
): Promise<LoginSite | undefined> {
  const nonce = randomBytes(nonceBytes).toString('hex')
  const start = `${config.authPrefix}/login?doctor=${nonce}`
  const transactions = new Map<string, LoginTransaction>()
  let isOver = false
  const { promise: completed, resolve, reject } = Promise.withResolvers<CompletedLogin>()

  async function begin(response: ServerResponse): Promise<void> {
    if (transactions.size >= mostTransactions)
      return say(response, 429, 'Too many attempts: run doctor again.')
    const { url, transaction } = await provider.beginLogin({
      returnTo: '/',
      parameters: {},
      endsSession: undefined,
    })
    transactions.set(transaction.state, transaction)
    response.writeHead(303, { location: url.href, 'cache-control': 'no-store' }).end()
  }

  /** Nothing is opened before a login was begun; an answer that cannot be opened is explained in the terminal. */
  async function transactionOf(untrustedAnswer: string): Promise<LoginTransaction | undefined> {
    if (transactions.size === 0) return undefined
    return transactions.get((await provider.stateOf(untrustedAnswer, () => undefined)) ?? '')
  }

  async function complete(untrustedAnswer: string, response: ServerResponse): Promise<void> {
    const transaction = await transactionOf(untrustedAnswer)
    if (transaction === undefined)
      return say(response, 400, 'This login was not begun here, or has been used.')
    // One login is explained. Tokens of another would be left alive, because nobody looks at them.
    isOver = true
    try {
      const checked = await provider.checkAuthorizationResponse(untrustedAnswer, transaction)
      const login = await provider.completeLogin(checked, transaction)
      await say(response, 200, 'You are signed in. The terminal explains what came; this page can be closed.')
      resolve(login)
    } catch (error) {
      await say(response, 400, 'The login has failed. The terminal explains why; this page can be closed.')
      reject(error)
    }
  }

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (isForClientKeys(request.url, config)) return sayClientKeys(response, provider)
    if (isOver) return say(response, 404, 'One login was enough; the terminal explains it.')
    const [path, query = ''] = (request.url ?? '').split('?')
    if (request.url === start) return begin(response)
    if (path === `${config.authPrefix}/callback`)
      return complete(config.responseMode === 'form_post' ? await readForm(request) : query, response)
    return say(response, 404, 'Only coatcheck doctor is here.')
  }
  const listener = await listenAsGateway(config, (request, response) => {
    answer(request, response).catch(async (error: unknown) => {
      await say(response, 500, 'The terminal explains what went wrong.')
      reject(error instanceof GatewayError ? error : new GatewayError('internal_error'))
    })
  })
  // Whoever waits hears of it; whoever has given up must not end the process.
  completed.catch(() => undefined)
  return listener && { ...listener, completed, url: new URL(start, baseUrl) }
}

/** The answer of `RESPONSE_MODE=form_post`; a longer one fails its checks. */
async function readForm(request: IncomingMessage): Promise<string> {
  return (await readStart(request, longestFormBytes)).toString('utf8')
}

/** Resolves when the answer is on its way or the browser is gone: whoever is told of a login closes all connections. */
function say(response: ServerResponse, status: number, text: string): Promise<void> {
  const headers = {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    // The address of the callback holds the code.
    'referrer-policy': 'no-referrer',
  }
  return new Promise((resolve) => {
    response.once('close', resolve)
    response.writeHead(status, headers).end(`${text}\n`)
  })
}
