import { loadConfig } from '../../../src/config/load-config.ts'
import type { Check } from '../../../src/doctor/check.ts'
import { createDoctorContext } from '../../../src/doctor/context.ts'
import type { Finding } from '../../../src/doctor/finding.ts'
import { minimalEnv } from '../../config/fixtures.ts'

/** What a single check finds first, with these settings on top of those that every gateway has. */
export async function examineOne(
  check: Check,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Finding | undefined> {
  const { context, close } = createDoctorContext(loadConfig({ ...minimalEnv, ...env }), {
    now: Date.now,
    desk: { announce: () => undefined, waitMs: 0 },
  })
  try {
    const [finding] = [await check.examine(context)].flat()
    return finding
  } finally {
    await close()
  }
}
