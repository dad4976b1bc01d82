import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import {
  createProviderNetwork,
  type ProviderNetwork,
  type ProviderNetworkOptions,
} from '../../src/network/provider-network.ts'
import { silentLogger } from '../../src/telemetry/logs/logger.ts'
import { noMetrics } from '../../src/telemetry/measures/metrics.ts'

/** The way to a provider; nothing is reported. */
export function openNetwork(
  options: Partial<ProviderNetworkOptions> & { readonly issuerUrl: string },
): ProviderNetwork {
  return createProviderNetwork(
    { providerTimeout: 2, ...options },
    { log: silentLogger(), metrics: noMetrics },
  )
}

/** A token request. */
export const tokenRequest = {
  method: 'POST',
  headers: { accept: 'application/json' },
  body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'rt' }),
  redirect: 'manual',
} as const

/** A listener whose connections a test writes to, byte for byte. */
export interface RawServer {
  readonly port: number
  /** Requests by connection, in their order. */
  readonly seen: { readonly connection: number; readonly text: string }[]
  stop(): Promise<void>
}

/** Answers each request with what `answer` writes; it is told which connection and which request on it. */
export async function startRawServer(
  answer: (socket: Socket, at: { readonly connection: number; readonly request: number }) => void,
): Promise<RawServer> {
  const seen: { connection: number; text: string }[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((socket) => {
    sockets.add(socket)
    const connection = ++connections
    let request = 0
    let text = ''
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0)
      const head = text.indexOf('\r\n\r\n')
      if (head < 0 || text.length < head + 4 + length) return
      seen.push({ connection, text })
      text = ''
      answer(socket, { connection, request: ++request })
    })
  })
  const port = await listen(server)
  return {
    port,
    seen,
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A proxy that makes tunnels (CONNECT), to this machine whatever host is asked for. */
export interface TunnelProxy {
  readonly url: string
  /** Heads of the CONNECT requests. */
  readonly heads: string[]
  stop(): Promise<void>
}

/** @param targetPort where every tunnel ends */
export async function startTunnelProxy(targetPort: () => number): Promise<TunnelProxy> {
  const heads: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('data', (head) => {
      heads.push(head.toString('latin1'))
      const onward = dial(targetPort(), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
        onward.pipe(socket).pipe(onward)
      })
      sockets.add(onward)
      onward.on('error', () => socket.destroy())
    })
  })
  const port = await listen(server)
  return {
    url: `http://127.0.0.1:${port}`,
    heads,
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function listen(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}
