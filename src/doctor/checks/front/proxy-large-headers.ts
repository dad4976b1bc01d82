import type { Check } from '../../check.ts'
import { type Finding, fail, pass } from '../../finding.ts'
import type { Front } from '../../front/front.ts'
import { arrivedFront } from '../../probes/front-answers.ts'

/** The largest answers of the gateway, a logout with a long hint and several cookies, come through. */
export const proxyLargeHeadersCheck: Check = {
  id: 'proxy.large-headers',
  examine: async (context) => describe((await arrivedFront(context)).large),
}

function describe(large: (Front & { readonly kind: 'arrived' })['large']): Finding {
  switch (large) {
    case 'whole':
      return pass('Response headers of 8 KB come through.')
    case 'cookies_lost':
      return fail(
        'What stands in front takes Set-Cookie out of answers: nobody can sign in.',
        'Let it pass Set-Cookie as it is, and cache nothing of the gateway.',
      )
    case 'location_changed':
      return fail(
        'What stands in front rewrites Location: logins and logouts go astray.',
        'Let it pass Location as it is (nginx: proxy_redirect off).',
      )
    default:
      return fail(
        `Response headers of 8 KB do not come through (${large.refused}): logins and logouts fail for some users.`,
        'Enlarge the buffer for response headers of what stands in front (nginx: proxy_buffer_size 16k; proxy_buffers 8 16k).',
      )
  }
}
