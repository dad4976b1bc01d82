import type { ProcessSettings } from '../../config/settings/settings.ts'
import { type Admin, createAdmin } from '../../http/admin/admin.ts'
import type { Logger } from '../../telemetry/telemetry.ts'
import { describeListenError } from './serve.ts'
import { createSupervisorView } from './supervisor-admin.ts'
import { superviseWorkers } from './workers.ts'

type SupervisedSettings = Pick<
  ProcessSettings,
  'port' | 'adminPort' | 'adminHost' | 'workers' | 'drainDelay' | 'shutdownGrace'
>

/**
 * Looks after the workers of this process, with one admin listener over all of them.
 *
 * @param reloads somebody else hears SIGHUP
 * @returns the exit code
 * @throws CommandError when the admin listener's address is taken
 */
export async function supervise(config: SupervisedSettings, log: Logger, reloads = false): Promise<number> {
  const view = createSupervisorView()
  const admin = createAdmin(view, log)
  await listen(admin, config)
  try {
    return await superviseWorkers(config, log, { ...view, reloads })
  } finally {
    await admin.close()
  }
}

async function listen(admin: Admin, { adminPort, adminHost }: SupervisedSettings): Promise<void> {
  if (adminPort === undefined) return
  try {
    await admin.listen({ adminPort, adminHost })
  } catch (error) {
    throw describeListenError(error)
  }
}
