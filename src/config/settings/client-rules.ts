import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { type ConfigRule, rule } from './rule.ts'
import type { SettingValues } from './settings.ts'

type Method = SettingValues['clientAuthentication']

const secretMethods: ReadonlySet<Method> = new Set(['client_secret_basic', 'client_secret_post'])
const tlsMethods: ReadonlySet<Method> = new Set(['tls_client_auth', 'self_signed_tls_client_auth'])

/** What must be true of the settings that say how the client proves itself, asks and is answered. */
export const clientRules: readonly ConfigRule[] = [
  rule(
    ['CLIENT_SECRET', 'CLIENT_AUTHENTICATION', 'CLIENT_KEY', 'CLIENT_ASSERTION_FILE', 'CLIENT_CERTIFICATE'],
    ({ clientSecret, clientAuthentication: method, clientKey, clientAssertionFile, clientCertificate }) => {
      if (clientSecret !== undefined) return undefined
      if (secretMethods.has(method)) return `is missing, which CLIENT_AUTHENTICATION=${method} needs`
      const others = [clientKey, clientAssertionFile, clientCertificate]
      return method === 'auto' && others.every((other) => other === undefined)
        ? 'is missing (or set CLIENT_KEY, CLIENT_CERTIFICATE or CLIENT_ASSERTION_FILE, or CLIENT_AUTHENTICATION=none)'
        : undefined
    },
  ),
  rule(['CLIENT_KEY', 'CLIENT_AUTHENTICATION', 'REQUEST_OBJECT'], (values) => {
    if (values.clientKey !== undefined) return undefined
    if (values.clientAuthentication === 'private_key_jwt')
      return 'is missing, which CLIENT_AUTHENTICATION=private_key_jwt needs'
    return values.requestObject === 'signed' ? 'is missing, which REQUEST_OBJECT=signed needs' : undefined
  }),
  rule(['CLIENT_ASSERTION_FILE', 'CLIENT_AUTHENTICATION'], (values) =>
    values.clientAssertionFile === undefined && values.clientAuthentication === 'assertion'
      ? 'is missing, which CLIENT_AUTHENTICATION=assertion needs'
      : undefined,
  ),
  rule(['CLIENT_CERTIFICATE', 'CLIENT_AUTHENTICATION'], (values) =>
    values.clientCertificate === undefined && tlsMethods.has(values.clientAuthentication)
      ? `is missing, which CLIENT_AUTHENTICATION=${values.clientAuthentication} needs`
      : undefined,
  ),
  rule(['CLIENT_CERTIFICATE', 'TOKEN_BINDING'], ({ clientCertificate, tokenBinding }) =>
    clientCertificate === undefined && tokenBinding === 'mtls'
      ? 'is missing, which TOKEN_BINDING=mtls needs'
      : undefined,
  ),
  rule(['CLIENT_CERTIFICATE', 'CLIENT_CERTIFICATE_KEY'], ({ clientCertificate, clientCertificateKey }) => {
    if ((clientCertificate === undefined) !== (clientCertificateKey === undefined))
      return 'and CLIENT_CERTIFICATE_KEY belong together; set both or neither'
    return clientCertificate === undefined || isPair(clientCertificate, clientCertificateKey)
      ? undefined
      : 'is not the certificate of CLIENT_CERTIFICATE_KEY, or one of the two cannot be read'
  }),
]

/** Whether a certificate and a private key, both PEM, belong together, and TLS takes them with the whole chain. */
export function isPair(certificatePem: string, keyPem = ''): boolean {
  try {
    createSecureContext({ cert: certificatePem, key: keyPem })
    return new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem))
  } catch {
    return false
  }
}
