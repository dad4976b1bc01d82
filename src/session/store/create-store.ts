import { usesRedis } from '../../config/settings/rules.ts'
import type { ProcessSettings } from '../../config/settings/settings.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import type { FrontendStoreOptions, SessionStore } from './contract.ts'
import { createMemoryStore } from './memory/store.ts'
import { createRedisStore } from './redis/store.ts'

/** What the settings say about the store. */
export type StoreSettings = ProcessSettings & FrontendStoreOptions

/** The store of a process; its frontends have views of it. */
export function createStore(config: StoreSettings, telemetry: Telemetry, now: () => number): SessionStore {
  if (usesRedis(config)) return createRedisStore(config, { telemetry, now })
  telemetry.log.warn(
    'sessions live in this process: they are lost at a restart, and only one process can run',
  )
  return createMemoryStore(config, { now })
}
