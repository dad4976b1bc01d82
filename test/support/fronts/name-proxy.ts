import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import type { Duplex } from 'node:stream'

/** A proxy that knows names which exist in a test alone. */
export interface NameProxy {
  /** `host:port`. */
  readonly address: string
  stop(): Promise<void>
}

/**
 * Starts a proxy for https on loopback: a browser that uses it finds these names without any name server.
 *
 * @param ports by `host:port`, the port of this machine that answers for it; other names are refused
 */
export async function startNameProxy(ports: Readonly<Record<string, number>>): Promise<NameProxy> {
  const server = createServer((_request, response) => response.writeHead(404).end())
  // The server forgets connections that have become tunnels.
  const open = new Set<Duplex>()
  server.on('connect', (request, browser, head) => {
    const port = ports[request.url ?? '']
    if (port === undefined) {
      browser.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
      return
    }
    const onward = connect(port, '127.0.0.1', () => {
      browser.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      onward.write(head)
      onward.pipe(browser).pipe(onward)
    })
    for (const side of [browser, onward]) {
      open.add(side)
      side.on('error', () => undefined)
      side.on('close', () => {
        open.delete(side)
        browser.destroy()
        onward.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
        for (const side of open) side.destroy()
      }),
  }
}
