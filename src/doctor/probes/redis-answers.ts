import type { RedisDiagnosis } from '../../session/store/redis/diagnosis/diagnosis.ts'
import type { DoctorContext } from '../check.ts'
import { SkipCheck } from '../finding.ts'

/**
 * What Redis said, for the checks that come after the first.
 *
 * @throws SkipCheck when it said nothing
 */
export async function redisAnswers({ redis }: Pick<DoctorContext, 'redis'>): Promise<RedisDiagnosis> {
  const found = await redis()
  if ('fault' in found) throw new SkipCheck('Redis does not answer.')
  return found
}

/**
 * Sees to it that each server has told a thing: what the others say does not vouch for it.
 *
 * @param what the thing, in a sentence
 * @throws SkipCheck
 */
export function expectTold(told: readonly unknown[], what: string): void {
  const isTold = (one: unknown): boolean => one !== undefined && one !== ''
  if (told.every(isTold)) return
  const who = told.some(isTold) ? 'Not every server of Redis tells' : 'Redis does not tell'
  throw new SkipCheck(`${who} ${what} to our user.`)
}

/** A field of a reply to `INFO`. */
export function infoField(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1]
}
