import { isPair } from '../../config/settings/client-rules.ts'
import type { CertificatePair } from '../../network/agents.ts'
import { watchSetting } from '../../signing/watched-setting.ts'
import type { Logger } from '../../telemetry/telemetry.ts'

/** What the settings say about the client's certificate. */
export interface ClientCertificateOptions {
  readonly clientCertificate?: string | undefined
  readonly clientCertificateKey?: string | undefined
  /** By setting name: where it was read from by its `_FILE` form. */
  readonly settingFiles?: Readonly<Record<string, string>>
}

/**
 * The certificate that is in force; `undefined` without one. Certificate and key stand in two files, so while only one of them is new the
 * old pair stays.
 */
export function createClientCertificate(
  options: ClientCertificateOptions,
  log: Logger,
): (() => CertificatePair) | undefined {
  const { clientCertificate, clientCertificateKey, settingFiles } = options
  if (clientCertificate === undefined || clientCertificateKey === undefined) return undefined
  const watch = (name: string, text: string) =>
    watchSetting({ name, text, settingFiles, log, parse: (found) => found })
  const certificate = watch('CLIENT_CERTIFICATE', clientCertificate)
  const key = watch('CLIENT_CERTIFICATE_KEY', clientCertificateKey)
  let pair = { certPem: clientCertificate, keyPem: clientCertificateKey }
  let refused = ''
  return () => {
    const found = { certPem: certificate.current(), keyPem: key.current() }
    if (found.certPem === pair.certPem && found.keyPem === pair.keyPem) return pair
    const texts = `${found.certPem}${found.keyPem}`
    if (refused === texts) return pair
    if (isPair(found.certPem, found.keyPem)) {
      pair = found
    } else {
      refused = texts
      log.warn('a changed CLIENT_CERTIFICATE does not belong to CLIENT_CERTIFICATE_KEY: the old pair stays')
    }
    return pair
  }
}
