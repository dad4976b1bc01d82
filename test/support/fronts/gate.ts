import { createServer, type IncomingMessage, type ServerResponse, request as sendRequest } from 'node:http'
import { freePort } from '../ports.ts'

/** A request that came through the gate, with what was answered. */
export interface PassedRequest {
  readonly method: string
  readonly path: string
  /** Query included. */
  readonly target: string
  readonly requestBody: string
  readonly status: number
  readonly responseBody: string
}

/** A stop at which matching requests wait. */
export interface Hold {
  /** Resolves when a matching request has come in. */
  readonly arrived: Promise<void>
  /** How many wait, or have waited, here. */
  count(): number
  /** Lets everything through, now and later. */
  release(): void
  /** Cuts off those that wait, and lets later ones through. */
  drop(): void
}

/** Which side of the server a request is stopped on: before it is asked, or when its answer is ready. */
export type HoldSide = 'request' | 'response'

/**
 * A plain reverse proxy in front of a server of the tests: it remembers what passes and can hold it up, answer in the server's place
 * or play dead. The `Host` header passes untouched, so the server can believe that it lives at the gate's address.
 */
export interface Gate {
  readonly origin: string
  readonly port: number
  readonly passed: readonly PassedRequest[]
  /** Requests for this path that were answered. */
  count(path: string): number
  hold(path: string, side?: HoldSide): Hold
  /** Answers requests for this path itself until the returned function is called. */
  answer(path: string, status: number, body: unknown, headers?: Readonly<Record<string, string>>): () => void
  /** Sends everything from now on to another server. */
  retarget(port: number): void
  /** Stops listening and drops every connection: the server is down. */
  down(): Promise<void>
  up(): Promise<void>
}

interface Rule {
  readonly path: string
  readonly side: HoldSide | 'answer'
  apply(response: ServerResponse): Promise<boolean>
}

/** What a gate is made with. */
export interface GateOptions {
  readonly targetPort: number
  /** Host name that browsers and clients see. */
  readonly hostname?: string
  readonly port?: number
}

/** Opens a gate in front of `127.0.0.1:targetPort`. */
export async function startGate(options: GateOptions): Promise<Gate> {
  const port = options.port ?? (await freePort())
  let { targetPort } = options
  const passed: PassedRequest[] = []
  const rules = new Set<Rule>()
  const runRules = async (path: string, side: Rule['side'], response: ServerResponse): Promise<boolean> => {
    for (const rule of rules) {
      if (rule.path === path && rule.side === side && (await rule.apply(response))) return true
    }
    return false
  }
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await read(request)
    const path = new URL(request.url ?? '/', 'http://gate').pathname
    const remember = (status: number, responseBody: string): void => {
      const target = request.url ?? ''
      passed.push({
        method: request.method ?? '',
        path,
        target,
        requestBody: `${body}`,
        status,
        responseBody,
      })
    }
    if (await runRules(path, 'answer', response)) return remember(response.statusCode, '')
    if (await runRules(path, 'request', response)) return
    const answer = await forward(request, body, targetPort)
    remember(answer.status, `${answer.body}`)
    if (await runRules(path, 'response', response)) return
    response.writeHead(answer.status, answer.headers).end(answer.body)
  }
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy())
  })
  const up = (): Promise<void> => new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve()))
  await up()
  return {
    origin: `http://${options.hostname ?? '127.0.0.1'}:${port}`,
    port,
    passed,
    count: (path) => passed.filter((request) => request.path === path).length,
    hold(path, side = 'request') {
      const { rule, hold } = createHold(path, side)
      rules.add(rule)
      return hold
    },
    answer(path, status, body, headers = {}) {
      const rule = answering(path, status, body, headers)
      rules.add(rule)
      return () => rules.delete(rule)
    },
    retarget(next) {
      targetPort = next
    },
    down: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
    up,
  }
}

function createHold(path: string, side: HoldSide): { readonly rule: Rule; readonly hold: Hold } {
  const arrival = Promise.withResolvers<void>()
  const opening = Promise.withResolvers<'pass' | 'drop'>()
  let count = 0
  let isDropped = false
  const apply = async (response: ServerResponse): Promise<boolean> => {
    if (isDropped) return false
    count += 1
    arrival.resolve()
    if ((await opening.promise) === 'pass') return false
    response.destroy()
    return true
  }
  const hold: Hold = {
    arrived: arrival.promise,
    count: () => count,
    release: () => opening.resolve('pass'),
    drop: () => {
      isDropped = true
      opening.resolve('drop')
    },
  }
  return { rule: { path, side, apply }, hold }
}

function answering(
  path: string,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>>,
): Rule {
  const apply = async (response: ServerResponse): Promise<boolean> => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
    return true
  }
  return { path, side: 'answer', apply }
}

async function read(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

interface ForwardedAnswer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

function forward(request: IncomingMessage, body: Buffer, port: number): Promise<ForwardedAnswer> {
  const { method = 'GET', url: path = '/', headers } = request
  const { 'transfer-encoding': _, ...rest } = headers
  return new Promise((resolve, reject) => {
    const onward = sendRequest({ host: '127.0.0.1', port, method, path, headers: rest, agent: false })
    onward.once('error', reject)
    onward.once('response', (answer) => {
      read(answer).then((answered) => {
        const { 'transfer-encoding': __, connection: ___, ...kept } = answer.headers
        resolve({ status: answer.statusCode ?? 502, headers: kept, body: answered })
      }, reject)
    })
    onward.end(body.length > 0 ? body : undefined)
  })
}
