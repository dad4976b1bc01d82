import type { Environment } from '../environment.ts'
import type { SettingValues } from './settings.ts'

/** What a security profile demands (DESIGN-2 section 4.2). */
export type SecurityProfile = SettingValues['securityProfile']

/** Algorithms that FAPI 2.0 section 5.4.1 allows. */
const algorithms = ['PS256', 'ES256', 'EdDSA']

const isSet = (env: Environment, name: string): boolean =>
  [name, `${name}_FILE`].some((each) => (env[each] ?? '').trim() !== '')

/**
 * The environment with what its security profile sets where nothing else is said. A profile that is none adds nothing: its name is refused
 * where it is read.
 */
export function withProfile(env: Environment): Environment {
  const defaults = profileDefaults(env)
  const missing = Object.entries(defaults).filter(([name]) => !isSet(env, name))
  return missing.length === 0 ? env : { ...env, ...Object.fromEntries(missing) }
}

/** What the profile of an environment sets, by setting name. */
export function profileDefaults(env: Environment): Readonly<Record<string, string>> {
  const profile = env.SECURITY_PROFILE?.trim().toLowerCase()
  if (profile !== 'fapi2' && profile !== 'fapi2-message-signing') return {}
  return {
    PUSHED_AUTHORIZATION_REQUESTS: 'on',
    ID_TOKEN_ALGORITHM: algorithms.join(','),
    TOKEN_BINDING: isSet(env, 'CLIENT_CERTIFICATE') ? 'mtls' : 'dpop',
    ...(profile === 'fapi2' ? {} : { REQUEST_OBJECT: 'signed', RESPONSE_MODE: 'jwt' }),
  }
}

/** Whether an algorithm is one of those; both names of EdDSA are. */
export function isFapiAlgorithm(name: string): boolean {
  return algorithms.includes(name) || name === 'Ed25519'
}
