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

/** A field of a reply to `INFO`. */
export function infoField(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1]
}
