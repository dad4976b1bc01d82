import { randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { DoctorContext } from '../check.ts'
import { probe } from '../probes/http-probe.ts'
import type { RequestHeaders } from './browser-request.ts'
import { listenAsGateway } from './listener.ts'

/** Another proxy's question about a request of ours. */
export interface ArrivedQuestion {
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
}

/** `taken`: a gateway runs there already. */
export type AskedFront =
  | { readonly kind: 'taken' }
  | { readonly kind: 'silent' }
  | ({ readonly kind: 'asked' } & ArrivedQuestion)

const nonceBytes = 16
const timeoutMs = 5_000

/**
 * Listens where the gateway is asked about requests, sends one, and looks at the question that comes. It is answered with a refusal, so that
 * nothing of it reaches the app.
 *
 * @param path of a route that another proxy carries
 */
export async function watchQuestion(
  { config }: Pick<DoctorContext, 'config'>,
  path: string,
  headers: RequestHeaders,
): Promise<AskedFront> {
  const { forwardAuthHost: host, forwardAuthPort: port, baseUrl } = config
  if (port === undefined) return { kind: 'silent' }
  const nonce = randomBytes(nonceBytes).toString('hex')
  let asked: ArrivedQuestion | undefined
  const listener = await listenAsGateway({ host, port }, ({ headers: arrived, rawHeaders }, response) => {
    const isOurs = rawHeaders.some((value) => value.includes(nonce))
    if (isOurs) asked = { headers: arrived, rawHeaders }
    response.writeHead(isOurs ? 401 : 503, { 'retry-after': '5', 'cache-control': 'no-store' }).end()
  })
  if (listener === undefined) return { kind: 'taken' }
  try {
    await probe({ url: new URL(`${path}?doctor=${nonce}`, baseUrl), headers, timeoutMs })
  } finally {
    await listener.close()
  }
  return asked === undefined ? { kind: 'silent' } : { kind: 'asked', ...asked }
}
