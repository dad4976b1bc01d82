import { connect, type Socket } from 'node:net'

/** Many browsers, each on a connection of its own, that have sent one request and wait. */
export interface Crowd {
  readonly size: number
  /** What each has received, in the order of their coming. */
  received(): readonly string[]
  /** All leave: every other one by a reset, the others in order. Resolves when their sockets are closed. */
  leave(): Promise<void>
}

/** Opens connections and sends one request on each. */
export async function gather(port: number, size: number, request: (at: number) => string): Promise<Crowd> {
  const texts: string[] = Array.from({ length: size }, () => '')
  const sockets = await Promise.all(
    texts.map(
      (_, at) =>
        new Promise<Socket>((resolve, reject) => {
          const socket = connect({ host: '127.0.0.1', port })
          socket.once('error', reject)
          socket.once('connect', () => {
            socket.off('error', reject).on('error', () => undefined)
            socket.write(request(at), 'latin1')
            resolve(socket)
          })
          socket.on('data', (chunk: Buffer) => {
            texts[at] += chunk.toString('latin1')
          })
        }),
    ),
  )
  return {
    size,
    received: () => texts,
    async leave() {
      const open = sockets.filter(({ closed }) => !closed)
      const closed = open.map((socket) => new Promise((resolve) => socket.once('close', resolve)))
      for (const [at, socket] of open.entries()) {
        if (at % 2 === 0) socket.resetAndDestroy()
        else socket.destroy()
      }
      await Promise.all(closed)
    },
  }
}
