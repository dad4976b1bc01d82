import { connect, type Socket } from 'node:net'

/** Everything that anybody tells a Redis server, byte for byte: what is written there for a moment only is seen too. */
export interface RedisWatch {
  content(): Buffer
  /** Watches again, after the server was restarted. */
  rewatch(): Promise<void>
  stop(): void
}

/** Listens with `MONITOR`. */
export async function watchRedis(port: number): Promise<RedisWatch> {
  const chunks: Buffer[] = []
  let socket = await monitor(port, chunks)
  return {
    content: () => unescapeMonitor(Buffer.concat(chunks)),
    async rewatch() {
      socket.destroy()
      socket = await monitor(port, chunks)
    },
    stop: () => void socket.destroy(),
  }
}

function monitor(port: number, chunks: Buffer[]): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('MONITOR\r\n'))
    socket.once('data', () => resolve(socket))
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.once('error', reject)
    socket.on('error', () => undefined)
  })
}

const letters: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b' }

/** `MONITOR` writes bytes that do not print as `\xHH` and escapes quotes and backslashes. */
export function unescapeMonitor(text: Buffer): Buffer {
  const plain = text
    .toString('latin1')
    .replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_, hex: string | undefined, letter: string) =>
      hex === undefined ? (letters[letter] ?? letter) : String.fromCharCode(Number.parseInt(hex, 16)),
    )
  return Buffer.from(plain, 'latin1')
}
