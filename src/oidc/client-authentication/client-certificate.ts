import { isPair } from '../../config/settings/client-rules.ts'
import type { CertificatePair } from '../../network/agents.ts'
import { certificateThumbprint } from '../../signing/thumbprints.ts'
import { watchSetting } from '../../signing/watched-setting.ts'
import type { Logger } from '../../telemetry/telemetry.ts'

/** What the settings say about the client's certificate. */
export interface ClientCertificateOptions {
  readonly clientCertificate?: string | undefined
  readonly clientCertificateKey?: string | undefined
  /** By setting name: where it was read from by its `_FILE` form. */
  readonly settingFiles?: Readonly<Record<string, string>>
}

/** A certificate of ours. */
export interface ClientCertificate extends CertificatePair {
  /** `x5t#S256`. */
  readonly thumbprint: string
}

/** The client's certificates: the one in force, and those before it, to which tokens may still be bound (RFC 8705 section 3). */
export interface ClientCertificates {
  /** One look at the files, where they are files. Never throws. */
  current(): ClientCertificate
  /** The one of a thumbprint; `undefined`: it is not, or no longer, ours. */
  find(thumbprint: string): ClientCertificate | undefined
  /** What new tokens may be bound to, the newest first: while files change a request may have shown the one before. */
  thumbprints(): readonly [string, ...string[]]
}

/** Certificates that are remembered; each lives for days, the tokens bound to it for minutes. */
const mostKept = 4

/**
 * Makes them; `undefined` without one. Certificate and key stand in two files, so while only one of them is new the old pair stays.
 */
export function createClientCertificates(
  options: ClientCertificateOptions,
  log: Logger,
): ClientCertificates | undefined {
  const { clientCertificate, clientCertificateKey, settingFiles } = options
  if (clientCertificate === undefined || clientCertificateKey === undefined) return undefined
  const watch = (name: string, text: string) =>
    watchSetting({ name, text, settingFiles, log, parse: (found) => found })
  const certificate = watch('CLIENT_CERTIFICATE', clientCertificate)
  const key = watch('CLIENT_CERTIFICATE_KEY', clientCertificateKey)
  let newest = toCertificate(clientCertificate, clientCertificateKey)
  let kept: readonly ClientCertificate[] = [newest]
  let refused = ''

  function current(): ClientCertificate {
    const certPem = certificate.current()
    const keyPem = key.current()
    if (certPem === newest.certPem && keyPem === newest.keyPem) return newest
    const texts = `${certPem}${keyPem}`
    if (refused === texts) return newest
    if (isPair(certPem, keyPem)) {
      newest = toCertificate(certPem, keyPem)
      kept = [newest, ...kept.filter(({ thumbprint }) => thumbprint !== newest.thumbprint)].slice(0, mostKept)
    } else {
      refused = texts
      log.warn('a changed CLIENT_CERTIFICATE does not belong to CLIENT_CERTIFICATE_KEY: the old pair stays')
    }
    return newest
  }

  return {
    current,
    find(thumbprint) {
      const known = kept.find((each) => each.thumbprint === thumbprint)
      if (known !== undefined) return known
      current()
      return kept.find((each) => each.thumbprint === thumbprint)
    },
    thumbprints() {
      const { thumbprint } = current()
      return [thumbprint, ...kept.map((each) => each.thumbprint).filter((each) => each !== thumbprint)]
    },
  }
}

function toCertificate(certPem: string, keyPem: string): ClientCertificate {
  return { certPem, keyPem, thumbprint: certificateThumbprint(certPem) }
}
