import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { mannerNames } from './api.ts'

/** What a client may know. */
export interface FuzzTarget {
  readonly port: number
  readonly origin: string
  /** The `Cookie` header of a session. */
  readonly cookie: string
}

/** Draws everything; below 1. */
export type Random = () => number

/** One client: a connection, and what it does on it. */
export class FuzzClient {
  readonly #target: FuzzTarget
  readonly #random: Random
  /** Gives each request a name of its own. */
  readonly #name: () => number
  #socket: Socket | undefined
  received = ''
  /** Path of the first request on the connection, when it was whole and plain. */
  firstPath: string | undefined
  #hasSent = false
  /** The client's own; 0 before it is connected. */
  port = 0
  readonly #steps: string[] = []

  constructor(target: FuzzTarget, random: Random, name: () => number) {
    this.#target = target
    this.#random = random
    this.#name = name
  }

  /** What it has done, in a line. */
  story(): string {
    return this.#steps.join(' | ')
  }

  async run(): Promise<void> {
    const socket = connect({ port: this.#target.port, host: '127.0.0.1', allowHalfOpen: this.#chance(0.3) })
    this.#socket = socket
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      if (this.received.length < 20) this.received += chunk.toString('latin1', 0, 20)
    })
    await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))
    this.port = socket.localPort ?? 0
    for (let left = 1 + this.#below(4); left > 0 && !socket.destroyed; left -= 1) await this.#step()
    await this.#end(socket)
  }

  async #step(): Promise<void> {
    const bytes = this.#draw()
    if (this.#chance(0.15)) {
      // In two pieces, with a pause in between.
      const at = this.#below(bytes.length)
      this.#write(bytes.slice(0, at))
      await sleep(this.#below(30))
      this.#write(bytes.slice(at))
    } else this.#write(bytes)
    if (this.#chance(0.1)) this.#socket?.pause()
    if (this.#chance(0.5)) await sleep(this.#below(150))
    if (this.#chance(0.3)) this.#socket?.resume()
  }

  async #end(socket: Socket): Promise<void> {
    const ways: Readonly<Record<string, () => unknown>> = {
      closes: () => socket.destroy(),
      resets: () => socket.resetAndDestroy(),
      'closes its side': () => socket.end(),
      'closes later': async () => {
        await sleep(this.#below(300))
        socket.destroy()
      },
      'closes its side, and all later': async () => {
        socket.end()
        await sleep(this.#below(300))
        socket.destroy()
      },
    }
    const [name, leave] = this.#one(Object.entries(ways))
    this.#steps.push(name)
    await leave()
    if (!socket.destroyed) {
      socket.resume()
      await Promise.race([new Promise((resolve) => socket.once('close', resolve)), sleep(400)])
      socket.destroy()
    }
  }

  #draw(): string {
    const body = 'x'.repeat(this.#below(200))
    const pieces = [
      () => this.#plain('GET', ''),
      () => this.#plain('GET', ''),
      () => this.#plain(this.#one(['HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH']), ''),
      () => this.#plain('POST', `content-length: ${body.length}\r\n`, body),
      () => this.#plain('POST', `content-length: ${body.length + 1 + this.#below(300_000)}\r\n`, body),
      () =>
        this.#plain(
          'PUT',
          'transfer-encoding: chunked\r\n',
          `5\r\nhello\r\n${this.#one(['0\r\n\r\n', '', 'zz\r\n'])}`,
        ),
      () =>
        this.#plain(
          'POST',
          `expect: 100-continue\r\ncontent-length: ${body.length}\r\n`,
          this.#one(['', body]),
        ),
      () => this.#plain('GET', 'expect: something\r\n'),
      () => this.#upgrade('websocket'),
      () => this.#upgrade('websocket'),
      () => this.#upgrade(this.#one(['h2c', 'h3', 'websocket, h2c'])),
      () => 'CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n',
      () => `GET ${this.#path()} HTTP/1.0\r\nhost: x\r\n${this.#identity()}\r\n`,
      () => 'GET http://elsewhere/ HTTP/1.1\r\nhost: elsewhere\r\n\r\n',
      () => 'GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n',
      () => 'OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n',
      () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      () => '\x16\x03\x01\x02\x00\x01',
      () => `GET / HTTP/1.1\r\nhost: a\r\nx-large: ${'y'.repeat(40_000)}\r\n\r\n`,
      () => '\r\n',
      () => 'x'.repeat(this.#below(50)),
    ]
    return this.#one(pieces)()
  }

  #plain(method: string, headers: string, body = ''): string {
    const path = this.#path()
    const isPlain = !this.#hasSent && body === '' && !headers.includes('content-length')
    if (isPlain) this.firstPath = path
    return `${method} ${path} HTTP/1.1\r\nhost: x\r\n${this.#identity()}${headers}\r\n${body}`
  }

  #upgrade(to: string): string {
    return `GET ${this.#path()} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: ${to}\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\norigin: ${this.#target.origin}\r\n${this.#identity()}\r\n`
  }

  #path(): string {
    const own = ['/livez', '/readyz', '/session', '/login', '/logout/callback', '/nothing', '/']
    if (this.#chance(0.15)) return `${this.#one(own)}?${this.#name()}`
    return `${this.#one(['/api', '/maybe', '/open', '/open'])}/${this.#name()}/${this.#one(mannerNames)}`
  }

  #identity(): string {
    const identities = [
      '',
      'sec-fetch-site: same-origin\r\n',
      `cookie: ${this.#target.cookie}\r\nsec-fetch-site: same-origin\r\n`,
      `cookie: ${this.#target.cookie}\r\nsec-fetch-site: same-origin\r\n`,
      'x-forwarded-for: 203.0.113.9\r\nsec-fetch-site: same-origin\r\n',
    ]
    return this.#one(identities)
  }

  #write(bytes: string): void {
    this.#hasSent = true
    this.#steps.push(`${bytes.slice(0, 60)} (${bytes.length})`)
    if (this.#socket?.writable === true) this.#socket.write(bytes, 'latin1')
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  #chance(share: number): boolean {
    return this.#random() < share
  }

  #one<Item>(items: readonly [Item, ...Item[]] | readonly Item[]): Item {
    return items[this.#below(items.length)] as Item
  }
}
