import type { Config } from '../../../config/load-config.ts'
import { profileAlgorithms } from '../../../oidc/provider/algorithms.ts'
import { chooseAlgorithm, type SigningAlgorithm } from '../../../signing/algorithms.ts'
import { proofAlgorithm } from '../../../signing/dpop-key.ts'
import { readPrivateKeys } from '../../../signing/signing-keys.ts'
import type { Check } from '../../check.ts'
import { type Finding, fail, pass, warn } from '../../finding.ts'
import { listOf, type Metadata } from '../../provider/discovery.ts'

/** What the provider's metadata demand or forbid fits how the client proves itself, asks and wants to be answered. */
export const discoveryClientCheck: Check = {
  id: 'discovery.client',
  async examine({ metadata, config }) {
    const document = await metadata()
    const found = [methods, signatures, requestObjects, responseModes, proofs].flatMap((look) =>
      look(document, config),
    )
    return found.length > 0
      ? found
      : [pass('How the client proves itself, asks and is answered is what the provider announces.')]
  },
}

type Look = (document: Metadata, config: Config) => readonly Finding[]

/** Ways that stand in the metadata under another name, or under none. */
const unannounced = new Set(['auto', 'none', 'assertion'])

const methods: Look = (document, { clientAuthentication: method }) => {
  const announced = listOf(document, 'token_endpoint_auth_methods_supported')
  if (announced === undefined || unannounced.has(method) || announced.includes(method)) return []
  const fix = `Set CLIENT_AUTHENTICATION to one of these, or to auto; or let the provider take ${method}.`
  return [warn(`The provider announces ${announced.join(', ')}, not CLIENT_AUTHENTICATION=${method}.`, fix)]
}

const signatures: Look = (document, config) => {
  const { clientKey, clientAuthentication: method } = config
  if (clientKey === undefined || !['auto', 'private_key_jwt'].includes(method)) return []
  const name = 'token_endpoint_auth_signing_alg_values_supported'
  return signable(listOf(document, name), clientKey, profileAlgorithms(config), 'assertions')
}

const requestObjects: Look = (document, config) => {
  const { requestObject, clientKey } = config
  if (requestObject === 'signed' && clientKey !== undefined) {
    const announced = listOf(document, 'request_object_signing_alg_values_supported')
    return signable(announced, clientKey, profileAlgorithms(config), 'request objects')
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
  if (announced === undefined || announced.includes(responseMode)) return []
  if (responseMode === 'jwt' && announced.includes('query.jwt')) return []
  const fix = 'Set RESPONSE_MODE to one of these.'
  return [
    fail(`The provider announces the response modes ${announced.join(', ')}, not ${responseMode}.`, fix),
  ]
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
