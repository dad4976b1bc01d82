import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { publicHalf } from '../../config/settings/kinds/private-keys.ts'
import type { SigningAlgorithm } from '../../signing/algorithms.ts'
import { type PublishedKey, publishedKeys, readPrivateKeys } from '../../signing/signing-keys.ts'
import { type CommandContext, UsageError } from '../command.ts'
import { readArguments } from '../read-arguments.ts'

const providers = ['auth0', 'keycloak', 'entra', 'okta'] as const
const options = { for: { type: 'string' }, algorithm: { type: 'string' } } as const

type ProviderName = (typeof providers)[number]

/** Auth0 and Entra take RSA keys alone. */
const usualAlgorithms: Readonly<Record<ProviderName, KeyAlgorithm>> = {
  auth0: 'PS256',
  entra: 'PS256',
  keycloak: 'ES256',
  okta: 'ES256',
}

type KeyAlgorithm = Exclude<SigningAlgorithm, 'Ed25519'>

const rsaBits = 2_048
const makers: Readonly<Record<KeyAlgorithm, () => KeyObject>> = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  PS256: () => generateKeyPairSync('rsa', { modulusLength: rsaBits }).privateKey,
  RS256: () => generateKeyPairSync('rsa', { modulusLength: rsaBits }).privateKey,
  EdDSA: () => generateKeyPairSync('ed25519').privateKey,
}

/**
 * `coatcheck client-key`: a new private key on standard output and nothing else, so that it can be led into a file; on standard error what
 * the provider is told about it.
 *
 * @throws UsageError
 */
export async function run({ arguments: args, print, complain }: CommandContext): Promise<number> {
  const { provider, algorithm } = choices(args)
  const text = textOf(makers[algorithm](), algorithm, provider)
  const [key] = readPrivateKeys(text)
  const [published] = publishedKeys([{ ...key, algorithm }], 'sig')
  print(text)
  for (const line of instructions(provider, publicPemOf(key.privateKey), published)) complain(line)
  return 0
}

/**
 * RSA keys sign in two ways, and the provider is told one of them: only a JWK can say which, and the gateway keeps to it. Entra's need PEM,
 * for the certificate that openssl makes.
 */
function textOf(key: KeyObject, algorithm: KeyAlgorithm, provider: ProviderName | undefined): string {
  if (key.asymmetricKeyType !== 'rsa' || provider === 'entra')
    return key.export({ format: 'pem', type: 'pkcs8' }).toString().trimEnd()
  return JSON.stringify({ ...key.export({ format: 'jwk' }), alg: algorithm, use: 'sig' }, null, 2)
}

function choices(untrustedArguments: readonly string[]): {
  readonly provider: ProviderName | undefined
  readonly algorithm: KeyAlgorithm
} {
  const { for: provider, algorithm } = readArguments(untrustedArguments, { options }).values
  const known = providers.find((name) => name === provider)
  if (provider !== undefined && known === undefined)
    throw new UsageError(`--for takes one of ${providers.join(', ')}`)
  const chosen = algorithm ?? (known === undefined ? 'ES256' : usualAlgorithms[known])
  if (!isAlgorithm(chosen)) throw new UsageError(`--algorithm takes one of ${Object.keys(makers).join(', ')}`)
  return { provider: known, algorithm: chosen }
}

function isAlgorithm(name: string): name is KeyAlgorithm {
  return Object.hasOwn(makers, name)
}

/** What is pasted where. */
function instructions(
  provider: ProviderName | undefined,
  publicPem: string,
  published: PublishedKey | undefined,
): readonly string[] {
  const set = JSON.stringify({ keys: [published] })
  const steps: Readonly<Record<ProviderName, readonly string[]>> = {
    auth0: [
      'Auth0: Applications → your application → Credentials → Private Key JWT → Add New Key, with this public key:',
      publicPem,
    ],
    keycloak: [
      'Keycloak: Clients → the client → Credentials → "Signed JWT"; then Keys → "Use JWKS URL" with BASE_URL/client-keys,',
      'or "Import" this JWK Set:',
      set,
    ],
    entra: [
      'Entra knows a key by its certificate. Make one for the key (of --for entra) and put both into the file of CLIENT_KEY:',
      '  openssl req -x509 -key client-key.pem -subj "/CN=coatcheck" -days 365 -out client-key.crt && cat client-key.crt >> client-key.pem',
      'Then App registrations → the app → Certificates & secrets → Certificates → Upload client-key.crt.',
    ],
    okta: [
      'Okta: Applications → your app → General → Client Credentials → "Public key / Private key" → Add key, with this JWK',
      '(or "Use a URL to fetch keys dynamically": BASE_URL/client-keys):',
      JSON.stringify(published),
    ],
  }
  return [
    'Keep the private key in a file that only the gateway can read, and name it in CLIENT_KEY_FILE. CLIENT_SECRET is not needed then.',
    '',
    ...(provider === undefined ? providers.flatMap((name) => [...steps[name], '']) : steps[provider]),
  ]
}

function publicPemOf(privateKey: KeyObject): string {
  return publicHalf(privateKey).export({ format: 'pem', type: 'spki' }).toString().trimEnd()
}
