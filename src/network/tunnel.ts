import { type IncomingMessage, request as sendHttp } from 'node:http'
import { Agent, request as sendHttps } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type ConnectionOptions, connect as connectTls, rootCertificates } from 'node:tls'
import { authorityOf } from '../config/settings/kinds/address.ts'

/** A way through a proxy. */
export interface TunnelWay {
  /** http(s), with user and password where it wants them. */
  readonly proxy: URL
  /** How long proxy and tunnel may take to be there, milliseconds. */
  readonly timeoutMs: number
  /** Authorities that are trusted for the proxy besides the system's, PEM. */
  readonly ca?: string | undefined
}

/** Something that is being connected. */
export interface Connecting {
  /** Gives it up; the error follows. */
  destroy(error: Error): unknown
}

/** What became of it. */
export type Connected<Stream> = (error: Error | null, connected: Stream | undefined) => void

/** Why there is no tunnel; the code is for logs. */
class TunnelError extends Error {
  override readonly name = 'TunnelError'
  readonly code: string

  constructor(code: string) {
    super('the proxy makes no tunnel')
    this.code = code
  }
}

/** Opens a tunnel (RFC 9110 section 9.3.6) to `host:port`, once; nothing is said in it yet. */
export function openTunnel(
  { proxy, timeoutMs, ca }: TunnelWay,
  authority: string,
  done: Connected<Socket>,
): Connecting {
  const send = proxy.protocol === 'https:' ? sendHttps : sendHttp
  const request = send({
    host: proxy.hostname.replace(/^\[|\]$/g, ''),
    port: proxy.port === '' ? (proxy.protocol === 'https:' ? 443 : 80) : proxy.port,
    method: 'CONNECT',
    path: authority,
    headers: { host: authority, ...credentials(proxy) },
    agent: false,
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca: [...rootCertificates, ca] }),
  })
  const timer = setTimeout(() => request.destroy(new TunnelError('ETIMEDOUT')), timeoutMs)
  request.once('connect', ({ statusCode = 0 }: IncomingMessage, socket: Socket, head: Buffer) => {
    clearTimeout(timer)
    // A server that speaks before it was spoken to is none.
    if (statusCode >= 200 && statusCode < 300 && head.length === 0) return done(null, socket)
    socket.destroy()
    done(new TunnelError(`PROXY_${statusCode}`), undefined)
  })
  // Some refuse with an ordinary answer.
  request.once('response', ({ statusCode = 0 }) => request.destroy(new TunnelError(`PROXY_${statusCode}`)))
  request.once('error', (error) => {
    clearTimeout(timer)
    done(error, undefined)
  })
  request.end()
  return request
}

function credentials({ username, password }: URL): Readonly<Record<string, string>> {
  if (username === '' && password === '') return {}
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` }
}

/** For requests of `node:https`: each has a tunnel of its own, and TLS within it. */
export class TunnelAgent extends Agent {
  readonly #way: TunnelWay

  constructor(way: TunnelWay) {
    super({ keepAlive: false })
    this.#way = way
  }

  override createConnection(
    options: ConnectionOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const { host = '', port = 443 } = options
    openTunnel(this.#way, authorityOf({ host, port: Number(port) }), (error, socket) => {
      // Its type does not say that there is no stream with an error.
      if (socket === undefined) callback?.(error, undefined as unknown as Duplex)
      else callback?.(null, connectTls({ ...options, socket }))
    })
  }
}
