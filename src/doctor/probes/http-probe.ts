import { type IncomingHttpHeaders, request as sendHttp } from 'node:http'
import { request as sendHttps } from 'node:https'
import { readStart } from '../../network/answer-start.ts'
import { TunnelAgent, type TunnelWay } from '../../network/tunnel.ts'

/** A request, header by header as given: `fetch` would add `Sec-Fetch-Mode` and others of its own. */
export interface Probe {
  readonly url: URL
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly timeoutMs: number
  /** A proxy on the way to an https address, and how long that may take. */
  readonly way?: TunnelWay | undefined
  /** Certificate authorities and client certificate, PEM; those of the system when absent. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string }
}

/** What came of it. Redirects are answers like any other. */
export type ProbeAnswer =
  | {
      readonly kind: 'answered'
      readonly status: number
      readonly headers: IncomingHttpHeaders
      /** The beginning of the body. */
      readonly body: string
    }
  /** `code` is the system's or Node's: `ECONNREFUSED`, `CERT_HAS_EXPIRED`, `ETIMEDOUT` … */
  | { readonly kind: 'failed'; readonly code: string }

/** Error pages are small; nothing behind this is looked at, bytes. */
const longestBodyBytes = 64 * 1024
/** More than any gateway or proxy sends, so that ours is not the limit that is found, bytes. */
const maxHeaderBytes = 128 * 1024

/** Sends it. Never rejects. */
export function probe({
  url,
  method = 'GET',
  headers = {},
  timeoutMs,
  tls = {},
  way,
}: Probe): Promise<ProbeAnswer> {
  const send = url.protocol === 'https:' ? sendHttps : sendHttp
  return new Promise((resolve) => {
    const fail = (error: unknown): void => resolve({ kind: 'failed', code: codeOf(error) })
    const options = {
      method,
      headers: { accept: 'application/json, text/html;q=0.9, */*;q=0.1', ...headers },
      agent: way === undefined ? false : new TunnelAgent(way),
      maxHeaderSize: maxHeaderBytes,
      signal: AbortSignal.timeout(timeoutMs),
      rejectUnauthorized: true,
      ...tls,
    }
    const request = send(url, options, (answer) => {
      readStart(answer, longestBodyBytes).then((start) => {
        const body = start.toString('utf8')
        resolve({ kind: 'answered', status: answer.statusCode ?? 0, headers: answer.headers, body })
        request.destroy()
      }, fail)
    })
    request.on('error', fail)
    request.end()
  })
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return 'ETIMEDOUT'
  const code: unknown = Reflect.get(error, 'code')
  return typeof code === 'string' ? code : error.name
}
