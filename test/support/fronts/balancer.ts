import { Agent, type IncomingMessage, request as sendRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** A request that did not succeed. */
export interface FailedRequest {
  readonly node: number
  readonly isFresh: boolean
  readonly failure: string
}

/** What went through a balancer. */
export interface BalancerResult {
  readonly succeeded: number
  readonly failures: readonly FailedRequest[]
}

/** A balancer in front of gateways, with clients that never stop asking. */
export interface Balancer {
  /** Resolves when so many further requests have succeeded. */
  served(count: number): Promise<void>
  /** Nodes that get requests now. */
  nodesInUse(): readonly number[]
  stop(): Promise<BalancerResult>
}

/** What a balancer is made with. */
export interface BalancerOptions {
  readonly ports: readonly number[]
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Clients that keep a connection, and clients that open one for each request. */
  readonly keepAliveClients: number
  readonly freshClients: number
}

const probeIntervalMs = 50

/**
 * Starts a balancer that asks each node's `/readyz?for=traffic`, sends requests in turn to those that are ready, and repeats none: every
 * request that fails is counted.
 */
export function startBalancer(options: BalancerOptions): Balancer {
  const { ports, path, headers } = options
  const ready = new Set(ports.keys())
  const failures: FailedRequest[] = []
  const waiting = new Set<{ count: number; resolve: () => void }>()
  let succeeded = 0
  let turn = 0
  let isStopped = false

  const noteSuccess = (): void => {
    succeeded += 1
    for (const one of waiting) {
      one.count -= 1
      if (one.count > 0) continue
      waiting.delete(one)
      one.resolve()
    }
  }

  async function probe(node: number): Promise<void> {
    const agent = new Agent({ keepAlive: false })
    while (!isStopped) {
      const status = await get(ports[node] ?? 0, '/readyz?for=traffic', {}, agent).catch(() => 0)
      if (status === 200) ready.add(node)
      else ready.delete(node)
      await sleep(probeIntervalMs)
    }
  }

  async function client(isFresh: boolean): Promise<void> {
    const agents = ports.map(() => new Agent({ keepAlive: !isFresh, maxSockets: 1 }))
    while (!isStopped) {
      const nodes = [...ready]
      turn += 1
      const node = nodes[turn % nodes.length]
      if (node === undefined) {
        failures.push({ node: -1, isFresh, failure: 'no node is ready' })
        return
      }
      const outcome = await get(ports[node] ?? 0, path, headers, agents[node] as Agent).catch(
        (error: unknown) => String(error),
      )
      if (outcome === 200) noteSuccess()
      else failures.push({ node, isFresh, failure: String(outcome) })
    }
    for (const agent of agents) agent.destroy()
  }

  const running = [
    ...ports.map((_port, node) => probe(node)),
    ...Array.from({ length: options.keepAliveClients }, () => client(false)),
    ...Array.from({ length: options.freshClients }, () => client(true)),
  ]
  return {
    served: (count) => new Promise((resolve) => waiting.add({ count, resolve })),
    nodesInUse: () => [...ready],
    async stop() {
      isStopped = true
      await Promise.all(running)
      return { succeeded, failures }
    },
  }
}

/** The status of a complete answer. */
function get(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>>,
  agent: Agent,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = sendRequest(
      { host: '127.0.0.1', port, path, headers, agent },
      (answer: IncomingMessage) => {
        answer.resume()
        answer.once('error', reject)
        answer.once('end', () => resolve(answer.statusCode ?? 0))
      },
    )
    request.once('error', reject)
    request.end()
  })
}
