import { isPlainObject } from '../../../basics/plain-object.ts'
import type { Config } from '../../../config/load-config.ts'
import { methodAt } from '../../../oidc/client-authentication/client-authentication.ts'
import { pushesLogins } from '../../../oidc/login/request.ts'
import { allowedAlgorithms, profileAlgorithms } from '../../../oidc/provider/algorithms.ts'
import { isModeAnnounced } from '../../../oidc/provider/failures/unmet-demands.ts'
import { chooseAlgorithm, type SigningAlgorithm } from '../../../signing/algorithms.ts'
import { proofAlgorithm } from '../../../signing/dpop-key.ts'
import { readPrivateKeys } from '../../../signing/signing-keys.ts'
import type { Check } from '../../check.ts'
import { type Finding, fail, pass, warn } from '../../finding.ts'
import { plainText } from '../../plain-text.ts'
import { listOf, type Metadata, textOf } from '../../provider/discovery.ts'

/** What the provider's metadata demand or forbid fits how the client proves itself, asks and wants to be answered. */
export const discoveryClientCheck: Check = {
  id: 'discovery.client',
  async examine({ metadata, config }) {
    const document = await metadata()
    const found = looks.flatMap((look) => look(document, config))
    const places = certificatePlaces(document, config)
    return found.length > 0
      ? [...found, ...places]
      : [
          pass('How the client proves itself, asks and is answered is what the provider announces.'),
          ...places,
        ]
  },
}

type Look = (document: Metadata, config: Config) => readonly Finding[]

/** Ways that stand in the metadata under another name, or under none. */
const unannounced = new Set(['none', 'assertion'])
const secretWays = ['client_secret_basic', 'client_secret_post']

/** How the client proves itself there, and what is announced. */
function methodIn(document: Metadata, config: Config) {
  const announced = listOf(document, 'token_endpoint_auth_methods_supported')
  const server = announced === undefined ? {} : { token_endpoint_auth_methods_supported: [...announced] }
  return { announced, method: methodAt(config, server) }
}

const methods: Look = (document, config) => {
  const { announced, method } = methodIn(document, config)
  const ways = method === 'auto' ? secretWays : [method]
  if (announced === undefined || unannounced.has(method) || ways.some((way) => announced.includes(way)))
    return []
  const says = `The provider announces ${announced.join(', ')} as ways of a client to prove itself, not ${ways.join(' or ')}`
  // The two ways of a secret are taken more often than announced; a proof of another kind is not.
  return secretWays.some((way) => announced.includes(way)) && secretWays.includes(method)
    ? [warn(`${says}.`, 'Set CLIENT_AUTHENTICATION=auto, which finds out how the secret is taken.')]
    : [fail(`${says}.`, fixOf(announced, method))]
}

function fixOf(announced: readonly string[], method: string): string {
  const otherwise = `or let the provider take ${method === 'auto' ? 'a secret' : method}`
  if (announced.includes('private_key_jwt') && method !== 'private_key_jwt')
    return `Set CLIENT_KEY_FILE (coatcheck client-key makes a key) and CLIENT_AUTHENTICATION=auto, ${otherwise}.`
  if (announced.some((way) => way.endsWith('tls_client_auth')))
    return `Set CLIENT_CERTIFICATE_FILE and CLIENT_CERTIFICATE_KEY_FILE, and CLIENT_AUTHENTICATION=auto, ${otherwise}.`
  return `Set CLIENT_AUTHENTICATION and what it needs to one of these, ${otherwise}.`
}

const signatures: Look = (document, config) => {
  const { clientKey } = config
  if (clientKey === undefined || methodIn(document, config).method !== 'private_key_jwt') return []
  const name = 'token_endpoint_auth_signing_alg_values_supported'
  return signable(listOf(document, name), clientKey, profileAlgorithms(config), 'assertions')
}

const requestObjects: Look = (document, config) => {
  const { requestObject, clientKey } = config
  if (requestObject === 'signed' && clientKey !== undefined) {
    const announced = listOf(document, 'request_object_signing_alg_values_supported')
    return [
      ...signable(announced, clientKey, profileAlgorithms(config), 'request objects'),
      ...requestParameter(document, config),
    ]
  }
  return document.require_signed_request_object === true
    ? [
        fail(
          'The provider takes only signed authorization requests.',
          'Set REQUEST_OBJECT=signed, with CLIENT_KEY.',
        ),
      ]
    : []
}

/** A pushed request may be signed all the same: its parameter stands in no address. */
const requestParameter: Look = (document, config) => {
  if (document.request_parameter_supported !== false || pushesLogins(config, document)) return []
  const fix = 'Set PUSHED_AUTHORIZATION_REQUESTS=on, or REQUEST_OBJECT=off.'
  return [fail('The provider takes no signed request in the address (request_parameter_supported).', fix)]
}

function signable(
  announced: readonly string[] | undefined,
  clientKey: string,
  allowed: readonly SigningAlgorithm[] | undefined,
  what: string,
): readonly Finding[] {
  const [key] = readPrivateKeys(clientKey)
  if (chooseAlgorithm(key, announced, allowed) !== undefined) return []
  const fix = `Make a key that it takes with coatcheck client-key, and put it into CLIENT_KEY.`
  return [
    fail(
      `The provider takes ${what} signed with ${announced?.join(', ')}, which CLIENT_KEY cannot do${allowed === undefined ? '' : ' under SECURITY_PROFILE'}.`,
      fix,
    ),
  ]
}

const responseModes: Look = (document, { responseMode }) => {
  const announced = listOf(document, 'response_modes_supported')
  if (announced === undefined)
    return responseMode === 'query'
      ? []
      : [
          warn(
            `The provider announces no response modes, so RESPONSE_MODE=${responseMode} may be unknown to it.`,
            'Try a login with coatcheck doctor --login, or set RESPONSE_MODE=query.',
          ),
        ]
  if (isModeAnnounced(announced, responseMode)) return []
  const fix = 'Set RESPONSE_MODE to one of these.'
  return [
    fail(`The provider announces the response modes ${announced.join(', ')}, not ${responseMode}.`, fix),
  ]
}

/** What a login is made of (RFC 6749 section 4.1), and the member of the metadata that says so (RFC 8414 section 2). */
const flow = [
  ['response types', 'response_types_supported', 'code'],
  ['grants', 'grant_types_supported', 'authorization_code'],
] as const

const codeFlow: Look = (document) =>
  flow.flatMap(([what, name, needed]) => {
    const announced = listOf(document, name)
    if (announced === undefined || announced.includes(needed)) return []
    const summary = `The provider announces the ${what} ${announced.join(', ')}, not ${needed}: logins may be refused there.`
    return [warn(summary, 'Enable the authorization code flow at the provider.')]
  })

const signedResponses: Look = (document, { responseMode, idTokenAlgorithm }) => {
  const announced = listOf(document, 'authorization_signing_alg_values_supported')
  if (responseMode !== 'jwt' || announced === undefined) return []
  const ofIdTokens = listOf(document, 'id_token_signing_alg_values_supported')
  const taken = allowedAlgorithms(idTokenAlgorithm, announcing(ofIdTokens))
  if (allowedAlgorithms(announced, {}).some((name) => taken.includes(name))) return []
  return [
    fail(
      `The provider signs its responses (JARM) with ${announced.join(', ')}; the settings take ${taken.join(', ')} alone.`,
      'Let it sign the responses of this client with one of these, or name its own in ID_TOKEN_ALGORITHM where no SECURITY_PROFILE forbids it.',
    ),
  ]
}

function announcing(names: readonly string[] | undefined) {
  return names === undefined ? {} : { id_token_signing_alg_values_supported: [...names] }
}

/** RFC 8705 section 3.3: left out it means that tokens are bound to no certificate. */
const boundTokens: Look = (document, { tokenBinding }) => {
  const { tls_client_certificate_bound_access_tokens: announced } = document
  if (tokenBinding !== 'mtls' || announced === true) return []
  const fix =
    'Turn on certificate-bound access tokens for this client there, or set TOKEN_BINDING to dpop or none.'
  return announced === undefined
    ? [
        warn(
          'The provider does not announce that it binds tokens to a certificate; unbound ones are refused.',
          fix,
        ),
      ]
    : [fail('The provider binds no tokens to a certificate, and TOKEN_BINDING=mtls refuses such.', fix)]
}

const proofs: Look = (document, { tokenBinding }) => {
  const announced = listOf(document, 'dpop_signing_alg_values_supported')
  if (tokenBinding !== 'dpop' || announced === undefined || announced.includes(proofAlgorithm)) return []
  const fix = `Let the provider take ${proofAlgorithm}, or set TOKEN_BINDING to mtls or none.`
  return [
    fail(
      `The provider takes proofs of possession (DPoP) signed with ${announced.join(', ')}, not ${proofAlgorithm}.`,
      fix,
    ),
  ]
}

/** Where the client shows its certificate (RFC 8705 section 5). */
function certificatePlaces(document: Metadata, { clientCertificate }: Config): readonly Finding[] {
  if (clientCertificate === undefined) return []
  const aliases = isPlainObject(document.mtls_endpoint_aliases) ? document.mtls_endpoint_aliases : {}
  const token = textOf(aliases, 'token_endpoint')
  return [
    pass(
      token === undefined
        ? 'CLIENT_CERTIFICATE is shown at the ordinary endpoints: the provider announces none of their own for certificates.'
        : `CLIENT_CERTIFICATE is shown at the addresses that the provider has for certificates (mtls_endpoint_aliases): tokens come from ${plainText(token)}.`,
    ),
  ]
}

const looks: readonly Look[] = [
  methods,
  signatures,
  requestObjects,
  codeFlow,
  responseModes,
  signedResponses,
  proofs,
  boundTokens,
]
