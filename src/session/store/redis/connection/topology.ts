import type { Cluster } from 'ioredis'
import type { HostAndPort } from '../../../../config/settings/kinds/address.ts'

/** Hash slots of every Redis Cluster. */
const slotCount = 16_384
/** A failover that closes no connection of ours is noticed this late at most; entries of the cache live longer anyway. */
const pollIntervalMs = 1_000

/** The masters of a Cluster, or `undefined` while it is not certain that they are all of them. */
export type Masters = readonly HostAndPort[] | undefined

/**
 * Reads `CLUSTER SLOTS`: the masters, or `undefined` when a part of the slots has none.
 */
export function mastersOf(reply: unknown): Masters {
  if (!Array.isArray(reply)) return undefined
  const masters = new Map<string, HostAndPort>()
  let covered = 0
  for (const range of reply) {
    const [from, to, master]: readonly unknown[] = Array.isArray(range) ? range : []
    const [host, port]: readonly unknown[] = Array.isArray(master) ? master : []
    if (typeof from !== 'number' || typeof to !== 'number') return undefined
    if (typeof host !== 'string' || host === '' || typeof port !== 'number') return undefined
    masters.set(`${host}:${port}`, { host, port })
    covered += to - from + 1
  }
  return covered === slotCount ? [...masters.values()] : undefined
}

/**
 * Follows the masters of a Cluster.
 *
 * @param changed told what is known, whenever it was asked for or came into doubt
 * @returns stops it
 */
export function watchTopology(cluster: Cluster, changed: (masters: Masters) => void): () => void {
  let asked = 0
  const ask = (): void => {
    // Before, a question would begin to connect to a node, for which the library, that then checks one of them, takes the Cluster for down.
    if (cluster.status !== 'ready') return
    asked += 1
    const mine = asked
    const answer = (masters: Masters): void => (mine === asked ? changed(masters) : undefined)
    cluster.cluster('SLOTS').then(
      (reply) => answer(mastersOf(reply)),
      () => answer(undefined),
    )
  }
  const doubt = (): void => {
    changed(undefined)
    ask()
  }
  const timer = setInterval(ask, pollIntervalMs).unref()
  cluster.on('ready', ask)
  cluster.on('+node', doubt)
  cluster.on('-node', doubt)
  return () => {
    asked += 1
    clearInterval(timer)
    cluster.removeListener('ready', ask)
    cluster.removeListener('+node', doubt)
    cluster.removeListener('-node', doubt)
  }
}
