import type { FastifyInstance } from 'fastify'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import type { CheckReadiness } from '../health/readiness.ts'
import { type Admin, createAdmin } from './admin.ts'

/** Makes the admin listener of a process. Attached before all else it closes last, so that probes and scrapes see the whole shutdown. */
export function attachAdmin(
  app: FastifyInstance,
  { log, exposition }: Telemetry,
  readiness: CheckReadiness,
): Admin {
  const source = { metrics: async () => exposition?.text() ?? '', isLive: async () => true, readiness }
  const admin = createAdmin(source, log)
  app.addHook('onClose', () => admin.close())
  return admin
}

/**
 * Opens it where there is to be one; the app is closed when that fails.
 *
 * @throws the listen error of Node when the address cannot be listened on
 */
export async function listenForAdmin(
  app: Pick<FastifyInstance, 'close'>,
  admin: Admin,
  { adminPort, adminHost }: { readonly adminPort: number | undefined; readonly adminHost: string },
): Promise<void> {
  if (adminPort === undefined) return
  try {
    await admin.listen({ adminPort, adminHost })
  } catch (error) {
    await app.close()
    throw error
  }
}
