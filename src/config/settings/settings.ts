import type { RowsOf, Setting, SettingGroup, ValuesOf } from './setting.ts'
import { browserSettings } from './tables/browser.ts'
import { clientSettings } from './tables/client.ts'
import { mainSettings } from './tables/main.ts'
import { providerSettings } from './tables/provider.ts'
import { proxySettings } from './tables/proxy.ts'
import { serverSettings } from './tables/server.ts'
import { redisSettings, sessionSettings } from './tables/session.ts'
import { tracingSettings } from './tables/tracing.ts'

/** All settings in the order in which help and documentation show them. */
export const settingGroups: readonly SettingGroup<Readonly<Record<string, Setting<unknown>>>>[] = [
  mainSettings,
  providerSettings,
  clientSettings,
  proxySettings,
  browserSettings,
  sessionSettings,
  redisSettings,
  serverSettings,
  tracingSettings,
]

/** The table: the one source of types, checks, help, `.env.example` and documentation (DESIGN section 2.6). */
export const settings = {
  ...mainSettings.rows,
  ...providerSettings.rows,
  ...clientSettings.rows,
  ...proxySettings.rows,
  ...browserSettings.rows,
  ...sessionSettings.rows,
  ...redisSettings.rows,
  ...serverSettings.rows,
  ...tracingSettings.rows,
}

/** The values of all settings, by camelCase name. */
export type SettingValues = ValuesOf<typeof settings>

/** The values that there are once in a process. */
export type ProcessSettings = ValuesOf<RowsOf<typeof settings, 'process'>>

/** The values that each frontend has for itself. */
export type FrontendSettings = ValuesOf<RowsOf<typeof settings, 'frontend'>>

/** The rows as a list of name and setting. */
export const settingRows: readonly (readonly [string, Setting<unknown>])[] = Object.entries(settings)
