import { createServer, connect as openSocket, type Socket } from 'node:net'

/** A stop for the first command that mentions a text. */
export interface CommandStop {
  /** Resolves when the command has come: it waits before Redis, or its answer waits behind it. */
  readonly arrived: Promise<void>
  /** Resolves when an answer of Redis waits here: by then the command has been carried out. */
  readonly answered: Promise<void>
  /** Lets it, and everything after it, go on. Does nothing when it was never reached. */
  release(): void
}

/** What of a command is stopped: the command, before Redis sees it, or the answer, after Redis has carried it out. */
export type StopSide = 'command' | 'answer'

/** A relay in front of Redis for one gateway, which can stop between two steps of its work. */
export interface RedisGate {
  readonly url: string
  readonly port: number
  /** @param text in the command, such as the beginning of its key */
  stop(text: string, side: StopSide): CommandStop
  /** Puts other answers in the place of Redis' own, from now on. */
  rewrite(change: (answer: string) => string): void
  /** Resets every connection; the client opens new ones. */
  cut(): void
  /** The connections that carry invalidations, apart from those that carry commands. */
  readonly feed: FeedGate
  close(): Promise<void>
}

/** What can become of the invalidation feed while all else goes on. */
export interface FeedGate {
  /** Half-open: nothing passes any more on the connections there are, and nobody hears of it. */
  stall(): void
  /** Resets the connections there are. */
  cut(): void
  /** While refused, connections are reset as soon as they want to become a feed. */
  refuse(refused: boolean): void
}

interface Rule {
  readonly text: string
  readonly side: StopSide
  readonly arrive: () => void
  readonly answer: () => void
  readonly opened: Promise<void>
}

/** The command that makes a feed of a connection. */
const becomesFeed = /tracking/i

/** Opens one in front of `127.0.0.1:targetPort`. */
export async function startRedisGate(targetPort: number): Promise<RedisGate> {
  const sockets = new Set<Socket>()
  const rules = new Set<Rule>()
  const match = (chunk: Buffer): Rule | undefined => {
    const rule = [...rules].find(({ text }) => chunk.includes(text))
    if (rule !== undefined) rules.delete(rule)
    return rule
  }
  const feeds = new Set<Socket>()
  const stalled = new WeakSet<Socket>()
  let isFeedRefused = false
  let rewritten = (answer: string): string => answer
  const server = createServer((near) => {
    const far = openSocket(targetPort, '127.0.0.1')
    let answers = Promise.resolve()
    let stopped: Rule | undefined
    near.once('close', () => feeds.delete(near))
    follow(sockets, near, far, async (chunk, write) => {
      if (becomesFeed.test(chunk.toString('latin1'))) {
        feeds.add(near)
        if (isFeedRefused) near.resetAndDestroy()
      }
      const rule = match(chunk)
      rule?.arrive()
      if (rule?.side === 'command') await rule.opened
      if (rule?.side === 'answer') {
        answers = rule.opened
        stopped = rule
      }
      write(chunk)
    })
    follow(sockets, far, near, async (chunk, write) => {
      stopped?.answer()
      await answers
      if (!stalled.has(near)) write(Buffer.from(rewritten(chunk.toString('latin1')), 'latin1'))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    stop(text, side) {
      const arrival = Promise.withResolvers<void>()
      const answering = Promise.withResolvers<void>()
      const opening = Promise.withResolvers<void>()
      const rule = {
        text,
        side,
        arrive: arrival.resolve,
        answer: answering.resolve,
        opened: opening.promise,
      }
      rules.add(rule)
      return {
        arrived: arrival.promise,
        answered: answering.promise,
        release() {
          rules.delete(rule)
          opening.resolve()
        },
      }
    },
    rewrite(change) {
      rewritten = change
    },
    cut,
    feed: {
      stall() {
        for (const socket of feeds) stalled.add(socket)
      },
      cut() {
        for (const socket of feeds) socket.resetAndDestroy()
      },
      refuse(refused) {
        isFeedRefused = refused
      },
    },
    close() {
      cut()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** Passes on what comes from one side, in order, each piece when `pass` says so. */
function follow(
  sockets: Set<Socket>,
  from: Socket,
  to: Socket,
  pass: (chunk: Buffer, write: (passed: Buffer) => void) => Promise<void>,
): void {
  let queue = Promise.resolve()
  sockets.add(from)
  from.setNoDelay(true)
  from.on('data', (chunk: Buffer) => {
    queue = queue.then(() => pass(chunk, (passed) => void to.write(passed)))
  })
  from.on('error', () => undefined)
  from.on('close', () => {
    sockets.delete(from)
    // What was sent before still arrives, as it does from a client that has died.
    void queue.then(() => to.destroySoon())
  })
}
