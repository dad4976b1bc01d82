import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

/** Answers requests while doctor looks. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** Something that listens in the gateway's place. */
export interface Listener {
  /** Ends all connections and gives the port back. */
  close(): Promise<void>
}

/** As the gateway's own listener: what it would refuse is refused here too, bytes. */
const maxHeaderBytes = 32 * 1024

/**
 * Listens where the gateway would, so that a proxy in front finds it.
 *
 * @returns `undefined` when the place is taken, or not ours to take
 */
export function listenAsGateway(
  { host, port }: { readonly host: string; readonly port: number },
  handle: Handler,
): Promise<Listener | undefined> {
  const server = createServer({ maxHeaderSize: maxHeaderBytes }, handle)
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined))
    server.listen(port, host, () =>
      resolve({
        close: () =>
          new Promise((closed) => {
            server.close(() => closed())
            server.closeAllConnections()
          }),
      }),
    )
  })
}
