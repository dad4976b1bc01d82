import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * Ports that no system hands out to outgoing connections by itself: one that is free now and is listened on later, or again after a
 * restart, is not taken by a connection of another test in between.
 */
const firstPort = 12_000
const endPort = 30_000
const mostAttempts = 50

/** A port on loopback that nobody listened on a moment ago. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
    const port = randomInt(firstPort, endPort)
    if (await canListen(port)) return port
  }
  throw new Error(`no free port between ${firstPort} and ${endPort}`)
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
