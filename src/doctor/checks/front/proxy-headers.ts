import type { Check } from '../../check.ts'
import { type Finding, fail, pass, warn } from '../../finding.ts'
import type { RequestHeaders } from '../../front/browser-request.ts'
import type { Arrival } from '../../front/echo.ts'
import type { GatewayAnswers, Passage } from '../../front/running-gateway.ts'
import { frontThatAnswers } from '../../probes/front-answers.ts'

/** What stands in front passes the headers by which the guard knows our own pages, and the cookie. */
export const proxyHeadersCheck: Check = {
  id: 'proxy.headers',
  async examine(context) {
    const front = await frontThatAnswers(context)
    return front.kind === 'gateway'
      ? describe(namesOf(front.answers, 'lost'), namesOf(front.answers, 'unclear'))
      : describe(lostHeaders(front.sent, front.arrival), [])
  },
}

function namesOf(answers: GatewayAnswers, passage: Passage): readonly string[] {
  const { origin, fetchMetadata, csrfHeader, cookie } = answers
  const names = { Origin: origin, 'Sec-Fetch-*': fetchMetadata, 'X-CSRF': csrfHeader, Cookie: cookie }
  return Object.entries(names).flatMap(([name, found]) => (found === passage ? [name] : []))
}

function lostHeaders(sent: RequestHeaders, { headers }: Arrival): readonly string[] {
  const groups: readonly (readonly [string, readonly string[]])[] = [
    ['Origin', ['origin']],
    ['Sec-Fetch-*', ['sec-fetch-site', 'sec-fetch-mode', 'sec-fetch-dest']],
    ['X-CSRF', ['x-csrf']],
    ['Cookie', ['cookie']],
  ]
  return groups.flatMap(([name, members]) =>
    members.every((member) => headers[member] === sent[member]) ? [] : [name],
  )
}

function describe(lost: readonly string[], unclear: readonly string[]): Finding {
  if (lost.length > 0)
    return fail(
      `What stands in front does not pass ${lost.join(', ')}: ${consequenceOf(lost)}.`,
      `Let it pass these request headers as they are (nginx passes them unless proxy_set_header clears them; a CDN has to be told).`,
    )
  if (unclear.length > 0)
    return warn(
      `The answers of the gateway that runs do not show whether what stands in front passes ${unclear.join(', ')}.`,
      'Stop it for a moment and run coatcheck doctor again: it then looks for itself.',
    )
  return pass('Origin, Sec-Fetch-*, X-CSRF and Cookie arrive as browsers send them.')
}

function consequenceOf(lost: readonly string[]): string {
  if (lost.includes('Cookie')) return 'nobody can stay signed in'
  return lost.includes('Sec-Fetch-*')
    ? 'our own pages are taken for foreign ones (403 csrf_rejected), or foreign ones for ours'
    : 'the guard against forged requests loses one of its two legs'
}
