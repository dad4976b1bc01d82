import { once } from 'node:events'
import { createServer } from 'node:net'

/** The preferred port when nobody listens on it, otherwise a free one. */
export async function choosePort(preferredPort: number): Promise<number> {
  return (await tryPort(preferredPort)) ?? (await tryPort(0)) ?? preferredPort
}

async function tryPort(port: number): Promise<number | undefined> {
  const server = createServer()
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    return typeof address === 'object' ? address?.port : undefined
  } catch {
    return undefined
  } finally {
    server.close()
  }
}
