import { isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect } from 'node:tls'
import {
  AbstractConnector,
  type SentinelConnectionOptions,
  SentinelConnector,
  SentinelIterator,
} from 'ioredis'

/** What a host is told in the handshake (SNI): its name, without a dot at its end. An address is none (RFC 6066 section 3). */
function nameOf(host = ''): { readonly servername?: string } {
  return isIP(host) === 0 ? { servername: host.replace(/\.$/, '') } : {}
}

/**
 * The library listens for one error of each socket. One that is closed within its handshake has two when the certificate is refused as
 * well, and the second, which nobody hears, would end the process.
 */
function surviveSecondErrors(socket: Socket): void {
  socket.on('error', () => undefined)
}

/** Some options of a connection to one server. Where the library hands them to a connector they have no type. */
interface ServerOptions {
  readonly host: string
  readonly port: number
  readonly family: number
  readonly tls: ConnectionOptions
  readonly disconnectTimeout: number
}

/** Connects to one server by TLS. The library's own connector would tell no name, or the same one to all nodes of a Cluster. */
export class TlsConnector extends AbstractConnector {
  readonly #options: ServerOptions

  constructor(untyped: unknown) {
    const options = untyped as ServerOptions
    super(options.disconnectTimeout)
    this.#options = options
  }

  override async connect(): Promise<Socket> {
    const { host, port, family, tls } = this.#options
    const place = { host, port, family, ...tls, ...nameOf(host) }
    this.connecting = true
    const socket = connect(place)
    socket.once('error', (error) => {
      this.firstError = error
    })
    surviveSecondErrors(socket)
    this.stream = socket
    return socket
  }
}

/** Connects by TLS to the master that the Sentinels name. Each of them, and the master, is told its own name. */
export class TlsSentinelConnector extends SentinelConnector {
  constructor(untyped: unknown) {
    const { sentinels = [], sentinelTLS, ...others } = untyped as SentinelConnectionOptions
    const options: SentinelConnectionOptions = { ...others, sentinels, natMap: namedPlace }
    super(options)
    this.sentinelIterator = new (class extends SentinelIterator {
      /** What comes next is asked at once, with these options. */
      override next(): ReturnType<SentinelIterator['next']> {
        const turn = super.next()
        if (!turn.done) options.sentinelTLS = { ...sentinelTLS, ...nameOf(turn.value.host) }
        return turn
      }
    })(sentinels)
  }

  override async connect(...events: Parameters<SentinelConnector['connect']>): Promise<Socket> {
    const socket = await super.connect(...events)
    surviveSecondErrors(socket)
    return socket
  }
}

/** Of an address that Sentinels gave, in their words, the options of the connection to it. */
function namedPlace(address: string) {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon)
  return { host, port: Number(address.slice(colon + 1)), ...nameOf(host) }
}
