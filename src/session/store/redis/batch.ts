import { Cluster } from 'ioredis'
import type { RedisClient } from './connection/connection.ts'

/**
 * Makes one write of all commands that are sent within one turn of the event loop: a system call costs more than a command. To be called
 * before a command is sent. On a Cluster it does nothing, because there each node has a connection of its own.
 */
export function createBatch(client: RedisClient): () => void {
  if (client instanceof Cluster) return () => undefined
  let isOpen = false
  return () => {
    // Missing until the first connection is being made.
    const stream: RedisStream | undefined = client.stream
    if (isOpen || stream === undefined) return
    isOpen = true
    stream.cork()
    setImmediate(() => {
      isOpen = false
      stream.uncork()
    })
  }
}

type RedisStream = Exclude<RedisClient, Cluster>['stream']
