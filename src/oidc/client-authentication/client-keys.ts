import { encryptionKeys, signingKeys } from '../../config/settings/kinds/private-keys.ts'
import {
  type PrivateKey,
  type PublishedKey,
  publishedKeys,
  readPrivateKeys,
} from '../../signing/signing-keys.ts'
import { watchSetting } from '../../signing/watched-setting.ts'
import type { Logger } from '../../telemetry/telemetry.ts'

/** What the settings say about the client's keys. */
export interface ClientKeyOptions {
  readonly clientKey?: string | undefined
  readonly clientEncryptionKey?: string | undefined
  /** By setting name: where it was read from by its `_FILE` form. */
  readonly settingFiles?: Readonly<Record<string, string>>
}

/** The client's own keys, as they are now. */
export interface ClientKeys {
  /** `CLIENT_KEY`: the first signs; `undefined` without one. */
  signing(): PrivateKey | undefined
  /** `CLIENT_ENCRYPTION_KEY`: all open. */
  decryption(): readonly PrivateKey[]
  /** The public halves of all of them, as the provider reads them. */
  published(): readonly PublishedKey[]
}

/** Keeps the keys; those that stand in files are read again when these change. */
export function createClientKeys(options: ClientKeyOptions, log: Logger): ClientKeys {
  const { clientKey, clientEncryptionKey, settingFiles } = options
  const watch = (name: string, text: string | undefined, check: (text: string) => string) =>
    text === undefined
      ? { current: (): readonly PrivateKey[] => [] }
      : watchSetting({ name, text, settingFiles, log, parse: (found) => readPrivateKeys(check(found)) })
  const signing = watch('CLIENT_KEY', clientKey, signingKeys)
  const decryption = watch('CLIENT_ENCRYPTION_KEY', clientEncryptionKey, encryptionKeys)
  return {
    signing: () => signing.current()[0],
    decryption: () => decryption.current(),
    published: () => [
      ...publishedKeys(signing.current(), 'sig'),
      ...publishedKeys(decryption.current(), 'enc'),
    ],
  }
}
