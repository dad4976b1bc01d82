import { createServer, isIP, connect as openSocket, type Socket } from 'node:net'
import { createSecureContext, createServer as createTlsServer, type SecureContextOptions } from 'node:tls'
import type { Front } from './redis-groups.ts'

/** A front that serves by TLS whoever says its name in the handshake (SNI), and nobody else, as proxies that route by it do. */
export interface NamedFront extends Front {
  readonly host: string
  /** What each handshake said; those that said nothing are not in it. */
  readonly told: readonly string[]
  /** Handshakes, whatever they said. */
  handshakes(): number
  /** Shows this certificate from now on. */
  show(certificate: SecureContextOptions): void
  /** Resets every connection. */
  cut(): void
  close(): Promise<void>
}

/** The first byte of a TLS handshake. */
const handshakeRecord = 22

/**
 * Opens one in front of `127.0.0.1:targetPort`. What is no TLS passes as it is: the servers speak so to each other.
 *
 * @param host its name; a front with an address serves those who say nothing
 */
export async function startNamedFront(
  targetPort: number,
  host: string,
  certificate: SecureContextOptions,
): Promise<NamedFront> {
  const sockets = new Set<Socket>()
  const told: string[] = []
  let shown = createSecureContext(certificate)
  let handshakes = 0
  const relay = (near: Socket): void => {
    const far = openSocket(targetPort, '127.0.0.1')
    keep(sockets, far)
    keep(sockets, near)
    near.pipe(far).pipe(near)
    near.once('close', () => far.destroy())
    far.once('close', () => near.destroy())
  }
  const secure = createTlsServer(
    {
      ...(isIP(host) === 0 ? {} : certificate),
      SNICallback(name, answer) {
        told.push(name)
        if (name === host) answer(null, shown)
        else answer(new Error(`${name} is not served here`))
      },
    },
    relay,
  )
  secure.on('tlsClientError', () => undefined)
  const server = createServer((near) => {
    keep(sockets, near)
    near.once('data', (first: Buffer) => {
      near.pause()
      near.unshift(first)
      if (first[0] !== handshakeRecord) {
        relay(near)
        return
      }
      handshakes += 1
      secure.emit('connection', near)
    })
  })
  // Every address of this machine: `localhost` may be any.
  await new Promise<void>((resolve) => server.listen(0, resolve))
  const address = server.address()
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    host,
    port: address !== null && typeof address === 'object' ? address.port : 0,
    told,
    handshakes: () => handshakes,
    show(next) {
      shown = createSecureContext(next)
    },
    cut,
    close() {
      cut()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** Those that are open; what goes wrong on them ends them. */
function keep(sockets: Set<Socket>, socket: Socket): void {
  if (sockets.has(socket)) return
  sockets.add(socket)
  socket.on('error', () => undefined)
  socket.once('close', () => sockets.delete(socket))
}
