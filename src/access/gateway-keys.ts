import { gatewayKeys } from '../config/settings/kinds/private-keys.ts'
import {
  type PrivateKey,
  type PublishedKey,
  publishedKeys,
  readPrivateKeys,
} from '../signing/signing-keys.ts'
import { watchSetting } from '../signing/watched-setting.ts'
import type { Logger } from '../telemetry/telemetry.ts'

/** What the settings say about the keys of minted tokens; the configuration fits. */
export interface GatewayKeyOptions {
  readonly gatewayKey: string | undefined
  /** By setting name: where it was read from by its `_FILE` form. */
  readonly settingFiles?: Readonly<Record<string, string>>
}

/** `GATEWAY_KEY`, as it is now: read again when its file changes. */
export interface GatewayKeys {
  /** The first one. */
  signing(): PrivateKey
  /** The public halves of all, so that a key can be known before it signs and after. */
  published(): readonly PublishedKey[]
}

/** Keeps the keys; `undefined` without the setting. */
export function createGatewayKeys(
  { gatewayKey: text, settingFiles }: GatewayKeyOptions,
  log: Logger,
): GatewayKeys | undefined {
  if (text === undefined) return undefined
  const parse = (found: string) => readPrivateKeys(gatewayKeys(found))
  const keys = watchSetting({ name: 'GATEWAY_KEY', text, settingFiles, log, parse })
  return {
    signing: () => keys.current()[0],
    published: () => publishedKeys(keys.current(), 'sig'),
  }
}
