import type { Check } from '../../check.ts'
import { pass, warn } from '../../finding.ts'
import { probe } from '../../probes/http-probe.ts'
import { describeFailure } from '../../probes/reach.ts'

/** A development server answers at once or is not there, milliseconds. */
const timeoutMs = 5_000

/** The single-page app is there. */
export const spaCheck: Check = {
  id: 'spa',
  async examine({ config: { spaDir, spaUrl } }) {
    if (spaDir !== undefined) return pass('SPA_DIR holds an index.html.')
    if (spaUrl === undefined) return pass('No single-page app is served from here.')
    const answer = await probe({ url: spaUrl, timeoutMs, headers: { accept: 'text/html' } })
    if (answer.kind === 'answered') return pass(`The development server at SPA_URL answers ${answer.status}.`)
    return warn(
      `The development server at ${spaUrl.href} cannot be reached: ${describeFailure(answer.code)}.`,
      'Start it, or correct SPA_URL; for production build the app and set SPA_DIR instead.',
    )
  },
}
