import { decodeJwt } from 'jose'
import type { ClientAuth } from 'openid-client'
import { textOf } from '../../basics/text.ts'
import { watchFile } from '../../signing/watched-file.ts'
import type { Logger } from '../../telemetry/telemetry.ts'
import { noProof } from '../provider/failures/provider-error.ts'

/** The reason of a request that was not made. */
export const noAssertion = 'no CLIENT_ASSERTION_FILE yet'
const assertionTypes = 'urn:ietf:params:oauth:client-assertion-type'

/** What goes into a request. */
interface PlatformAssertion {
  readonly assertion: string
  readonly type: string
}

/**
 * An assertion that the platform makes and keeps fresh (RFC 7523 section 2.2): a Kubernetes service account token, a SPIFFE JWT-SVID
 * (draft-ietf-oauth-spiffe-client-auth), a token of Entra's workload identity.
 *
 * @param path `CLIENT_ASSERTION_FILE`: read again whenever it has changed
 */
export function createAssertionAuthentication(path: string, log: Logger): ClientAuth {
  const file = watchFile({ name: 'CLIENT_ASSERTION_FILE', path, parse: readAssertion, initialText: '', log })
  return (_server, client, body) => {
    const current = file.current()
    // The platform may write it a moment after we have started.
    if (current === undefined) throw noProof(noAssertion)
    body.set('client_id', client.client_id)
    body.set('client_assertion_type', current.type)
    body.set('client_assertion', current.assertion)
  }
}

/** `undefined` for no text. @throws Error whose message may be logged */
function readAssertion(text: string): PlatformAssertion | undefined {
  if (text === '') return undefined
  const isSpiffe = subjectOf(text)?.startsWith('spiffe://') === true
  return { assertion: text, type: `${assertionTypes}:${isSpiffe ? 'jwt-spiffe' : 'jwt-bearer'}` }
}

function subjectOf(text: string): string | undefined {
  try {
    return textOf(decodeJwt(text).sub)
  } catch {
    throw new Error('holds no JWT')
  }
}
