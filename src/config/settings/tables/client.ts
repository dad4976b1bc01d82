import { filePath } from '../kinds/address.ts'
import { encryptionKeys, signingKeys } from '../kinds/private-keys.ts'
import { certificatePem, privateKeyPem } from '../kinds/secret.ts'
import { oneOf } from '../kinds/values.ts'
import { optional, withDefault } from '../setting.ts'

/** How the client proves itself, asks, and is answered (DESIGN-2 section 4). */
export const clientSettings = {
  title: 'The client at the provider',
  rows: {
    CLIENT_AUTHENTICATION: withDefault(
      oneOf(
        'auto',
        'client_secret_basic',
        'client_secret_post',
        'private_key_jwt',
        'tls_client_auth',
        'self_signed_tls_client_auth',
        'assertion',
        'none',
      ),
      'auto',
      {
        doc: 'How the client proves itself to the provider. `auto` goes by what is configured: the certificate where the provider announces mutual TLS, then `CLIENT_KEY`, then `CLIENT_ASSERTION_FILE`, then `CLIENT_SECRET`, for which it finds out how it is taken. `none` is a public client, whose only proof is PKCE.',
        example: 'private_key_jwt',
      },
    ),
    CLIENT_KEY: optional(signingKeys, {
      doc: 'The private key of `private_key_jwt` and of signed requests, as `coatcheck client-key` makes it: PEM (PKCS#8), a JWK or a JWK Set; P-256, RSA or Ed25519. Of several the first signs, and the public halves of all stand in `/client-keys`, so that a key can be rotated without a gap. A file is read again when it changes.',
      example: '/run/secrets/client-key.pem',
      unit: 'PEM text',
      secret: true,
    }),
    CLIENT_ASSERTION_FILE: optional(filePath, {
      doc: 'A file with a JWT that the platform keeps fresh and that stands in for a key: a Kubernetes service account token, a SPIFFE JWT-SVID, a token of a workload identity. Read again when it changes.',
      example: '/var/run/secrets/tokens/provider',
    }),
    CLIENT_CERTIFICATE: optional(certificatePem, {
      doc: 'The certificate shown to the provider (mutual TLS, RFC 8705); together with `CLIENT_CERTIFICATE_KEY`. A file is read again when it changes.',
      example: '/etc/coatcheck/client-certificate.pem',
      unit: 'PEM text',
      fileForm: true,
    }),
    CLIENT_CERTIFICATE_KEY: optional(privateKeyPem, {
      doc: 'The private key of that certificate, without a passphrase. A file is read again when it changes.',
      example: '/run/secrets/client-certificate-key.pem',
      unit: 'PEM text',
      secret: true,
    }),
    CLIENT_ENCRYPTION_KEY: optional(encryptionKeys, {
      doc: 'The private key that opens what the provider encrypts to this client: ID tokens, userinfo, authorization responses. PEM, a JWK or a JWK Set; RSA, P-256, P-384, P-521 or X25519; all of several open, and their public halves stand in `/client-keys`. What comes unencrypted is still taken.',
      example: '/run/secrets/client-encryption-key.pem',
      unit: 'PEM text',
      secret: true,
    }),
    PUSHED_AUTHORIZATION_REQUESTS: withDefault(oneOf('auto', 'on', 'off'), 'auto', {
      doc: 'Whether a login is first handed to the provider itself (RFC 9126), so that the address that the browser is sent to says nothing. `auto`: where the provider demands it.',
      example: 'on',
    }),
    REQUEST_OBJECT: withDefault(oneOf('off', 'signed'), 'off', {
      doc: 'Whether the authorization request is signed with `CLIENT_KEY` (RFC 9101).',
      example: 'signed',
    }),
    RESPONSE_MODE: withDefault(oneOf('query', 'form_post', 'jwt'), 'query', {
      doc: "How the provider answers a login: in the callback's address, as a form that the browser posts, or as a JWT that the provider has signed (JARM). An answer in another way is refused.",
      example: 'jwt',
    }),
    SECURITY_PROFILE: withDefault(oneOf('none', 'fapi2', 'fapi2-message-signing'), 'none', {
      doc: 'The rules of a whole profile at once. `fapi2`: the FAPI 2.0 Security Profile, with every login pushed, `private_key_jwt` or mutual TLS, tokens that are bound to us, `iss` demanded in every response, and PS256, ES256 and EdDSA alone. `fapi2-message-signing`: signed requests and responses as well. It sets what is left out, and a setting that contradicts it stops the start.',
      example: 'fapi2',
    }),
    TOKEN_BINDING: withDefault(oneOf('none', 'dpop', 'mtls'), 'none', {
      doc: 'Whether tokens are worth something for this gateway alone, at the provider and at the API. `dpop`: each session has a key of its own, and every request proves that we have it (RFC 9449). `mtls`: they are bound to `CLIENT_CERTIFICATE`, which the API is shown too (RFC 8705). Sessions from before a change go on as they began.',
      example: 'dpop',
    }),
  },
} as const
