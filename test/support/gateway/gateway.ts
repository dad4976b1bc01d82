import type { AddressInfo } from 'node:net'
import { createGateway, type Dependencies, type Gateway } from '../../../src/app.ts'
import { loadConfig } from '../../../src/config/load-config.ts'
import { unhurried } from '../unhurried.ts'

/** A gateway that listens in this process. */
export interface RunningGateway {
  readonly app: Gateway
  readonly port: number
  stop(): Promise<void>
}

/** Starts a gateway in this process: for tests that hand it a clock, a store or a provider of their own. */
export async function startGateway(
  env: Readonly<Record<string, string>>,
  dependencies: Partial<Dependencies> = {},
): Promise<RunningGateway> {
  const config = loadConfig({ LOG_LEVEL: 'silent', ...env })
  const app = await createGateway(config, { shedder: unhurried, ...dependencies })
  await app.listen({ port: Number(env.PORT ?? 0), host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  return { app, port, stop: async () => app.close() }
}
