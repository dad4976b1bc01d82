import { randomBytes } from 'node:crypto'
import type { Sealer } from '../../sealing/sealer.ts'

/** Challenges for the devices of sessions: nothing is kept of them until one was answered. */
export interface DeviceChallenges {
  /** A new one for a session. */
  make(h: string): string
  /** What names a challenge that is ours, for this session, and fresh; `undefined` for any other text. */
  read(untrustedChallenge: string, h: string): string | undefined
}

/** A browser answers within a second or two, but may keep a challenge for its next renewal; longest life, seconds. */
const longestLifeSeconds = 300

const challengePattern = /^(\d{10})\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{43})$/

/**
 * Makes challenges that are authenticated under `SESSION_SECRET`, so that every node knows them, under every secret of a rotation. A node
 * whose clock is ahead may have made one that seems to come from the future.
 *
 * @param lifetimeSeconds of the bound cookie: a challenge lives no longer, because only so long is it known to be answered
 * @param now the clock, epoch milliseconds
 */
export function createDeviceChallenges(
  sealer: Pick<Sealer, 'hmac' | 'isHmac'>,
  lifetimeSeconds: number,
  now: () => number,
): DeviceChallenges {
  const lifeSeconds = Math.min(longestLifeSeconds, lifetimeSeconds)
  const seconds = (): number => Math.floor(now() / 1_000)
  const textOf = (h: string, madeAt: string, nonce: string): string => `${h} ${madeAt} ${nonce}`
  return {
    make(h) {
      const madeAt = `${seconds()}`
      const nonce = randomBytes(12).toString('base64url')
      return `${madeAt}.${nonce}.${sealer.hmac('device-challenge', textOf(h, madeAt, nonce))}`
    },
    read(untrustedChallenge, h) {
      const [, madeAt, nonce, mac] = challengePattern.exec(untrustedChallenge) ?? []
      if (madeAt === undefined || nonce === undefined || mac === undefined) return undefined
      if (Math.abs(seconds() - Number(madeAt)) > lifeSeconds) return undefined
      return sealer.isHmac('device-challenge', textOf(h, madeAt, nonce), mac) ? nonce : undefined
    },
  }
}
