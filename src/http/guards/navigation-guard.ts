import type { IncomingHttpHeaders } from 'node:http'
import { GatewayError } from '../../errors/gateway-error.ts'

function isSpeculative(untrusted: IncomingHttpHeaders): boolean {
  return untrusted['sec-purpose'] !== undefined || untrusted.purpose !== undefined
}

/**
 * Refuses to begin a login for anything that is not a page somebody waits for: an image, a frame, a fetch, or a prefetch that a sibling
 * site's speculation rules made look like a navigation.
 *
 * @throws GatewayError `csrf_rejected`
 */
export function expectLoginNavigation(untrusted: IncomingHttpHeaders): void {
  const destination = untrusted['sec-fetch-dest']
  const isOtherThanPage = destination !== undefined && destination !== 'document'
  if (!isOtherThanPage && !isSpeculative(untrusted)) return
  throw new GatewayError('csrf_rejected', {
    detail:
      'A sign-in begins with a navigation of the whole page, such as a link. This request was made in another way; a service worker that re-issues navigations is the usual cause.',
    context: { reason: isOtherThanPage ? 'not_a_document' : 'speculative' },
  })
}

/** Whether a `GET /logout` was certainly begun by a page of our own, so that it may act at once (DESIGN section 2.1). */
export function isOwnNavigation(untrusted: IncomingHttpHeaders): boolean {
  return (
    untrusted['sec-fetch-site'] === 'same-origin' &&
    untrusted['sec-fetch-mode'] === 'navigate' &&
    untrusted['sec-fetch-dest'] === 'document' &&
    !isSpeculative(untrusted)
  )
}
