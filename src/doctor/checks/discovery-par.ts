import type { Check } from '../check.ts'
import { fail, pass } from '../finding.ts'
import { textOf } from '../provider/discovery.ts'

/** The provider does not insist on pushed authorization requests (RFC 9126), which Coatcheck does not make. */
export const discoveryParCheck: Check = {
  id: 'discovery.par',
  async examine({ metadata }) {
    const document = await metadata()
    if (document.require_pushed_authorization_requests === true) {
      return fail(
        'The provider takes only pushed authorization requests (PAR), which Coatcheck does not make.',
        'Turn off "require pushed authorization requests" for this client.',
      )
    }
    const isOffered = textOf(document, 'pushed_authorization_request_endpoint') !== undefined
    return pass(`Pushed authorization requests are ${isOffered ? 'offered, not required' : 'not required'}.`)
  },
}
