import type { Check } from '../../check.ts'
import { fail, pass, warn } from '../../finding.ts'
import { listOf } from '../../provider/discovery.ts'

/** The provider takes the code challenge that every login carries (RFC 7636). */
export const discoveryPkceCheck: Check = {
  id: 'discovery.pkce',
  async examine({ metadata, hints }) {
    const methods = listOf(await metadata(), 'code_challenge_methods_supported')
    if (methods?.includes('S256') === true) return pass('PKCE with S256 is supported.')
    const fix = 'Turn on PKCE with S256 for this client.'
    if (methods !== undefined) return fail('The provider does not support PKCE with S256.', fix)
    return hints.isRecognised
      ? pass(`${hints.name} supports PKCE with S256, although it does not announce it.`)
      : warn('The provider does not say that it supports PKCE: a stolen code could be used by others.', fix)
  },
}
