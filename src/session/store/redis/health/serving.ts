import { Cluster } from 'ioredis'
import type { RedisClient } from '../connection/connection.ts'
import type { Deadlines } from '../deadlines.ts'

/**
 * Asks whether a server serves, with no traffic that would tell. A node of a Cluster answers PING although it serves nothing, as for two seconds
 * after each start; so its masters are asked what they say of the Cluster. Those that do not answer at all say nothing here: the sessions of
 * the others can be used.
 *
 * @returns rejects when there is no answer, or one that speaks of an outage
 */
export async function askWhetherServing(client: RedisClient, { within }: Deadlines): Promise<void> {
  // Before a Cluster is ready, no node of it may be asked for itself; see `topology.ts`.
  if (!(client instanceof Cluster) || client.status !== 'ready') {
    await within(client.ping())
    return
  }
  const asked = client.nodes('master').map((node) => within(node.cluster('INFO')))
  const states = await Promise.allSettled(asked)
  const answers = states.flatMap((state) => (state.status === 'fulfilled' ? [String(state.value)] : []))
  // The error word with which the node would answer any other command.
  if (answers.some((answer) => !answer.includes('cluster_state:ok'))) throw new Error('CLUSTERDOWN')
  if (answers.length === 0) await within(client.ping())
}
