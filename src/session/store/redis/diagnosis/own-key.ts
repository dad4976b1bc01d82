import { randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import { sessionKeyPrefix } from '../../keys.ts'

/** Among so many keys, chance gives each of fifty masters one of its own. */
const candidateCount = 256

/**
 * A random key in a slot that the server has, so that commands are carried out and not only understood. It is not as long as a session's,
 * so that nothing ever takes it for one; the braces put what is named after it into the same slot.
 *
 * @param isMaster whether the server is one of a Cluster, which has some of the slots
 * @returns rejects with `MOVED` when the server has only some of the slots although it is taken for the only one
 */
export async function findOwnKey(server: Redis, isMaster: boolean): Promise<string> {
  const candidates = Array.from({ length: candidateCount }, newKey)
  const answers = await Promise.allSettled(candidates.map((key) => server.exists(key)))
  const moved = answers.map((answer) => answer.status === 'rejected' && isMoved(answer.reason))
  if (!isMaster && moved.includes(true)) throw new Error('MOVED')
  return candidates.find((_key, at) => moved[at] === false) ?? newKey()
}

function newKey(): string {
  return `${sessionKeyPrefix}{doctor-${randomBytes(12).toString('base64url')}}`
}

/** Whether a node of a Cluster points to another one, which has the slot. */
export function isMoved(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('MOVED ')
}
