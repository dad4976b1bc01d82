import { createHash } from 'node:crypto'
import { isLoopback } from '../../config/settings/kinds/address.ts'

/** What the settings say about headers. */
export interface SecurityHeaderOptions {
  readonly baseUrl: URL
  /** Value of `Strict-Transport-Security`; `undefined` sends none, `auto` a year off loopback. */
  readonly hsts: string | undefined
}

/** Header fields, lower-case names. */
export type HeaderFields = Readonly<Record<string, string>>

/** On every answer, proxied ones included: no content sniffing, and https only (RFC 6797) where we are on https. */
export function transportHeaders(options: SecurityHeaderOptions): HeaderFields {
  const nosniff = { 'x-content-type-options': 'nosniff' }
  const hsts = options.baseUrl.protocol === 'https:' ? resolveHsts(options) : undefined
  return hsts === undefined ? nosniff : { ...nosniff, 'strict-transport-security': hsts }
}

/** On loopback a browser would refuse http on all ports of that name for a year, whatever runs there. */
function resolveHsts({ baseUrl, hsts }: SecurityHeaderOptions): string | undefined {
  if (hsts !== 'auto') return hsts
  return isLoopback(baseUrl) ? undefined : 'max-age=31536000'
}

/**
 * What HTML of ours says about the address it came from. Never `no-referrer`: that makes a form's POST carry `Origin: null`, which the
 * guard refuses.
 */
export const htmlReferrerPolicy = 'same-origin'

/** The policy of the app's pages unless `SPA_CSP` replaces it: no plug-ins, no moved base, no frame around it. */
export const defaultSpaCsp = "object-src 'none'; base-uri 'self'; frame-ancestors 'none'"

/** What a page of ours, or an operator's in its place, may use. */
export interface PagePolicy {
  /** Contents of the style elements. */
  readonly styles: readonly string[]
  /** Contents of the script elements; none on nearly all pages. */
  readonly scripts?: readonly string[]
  /** Whether images, fonts and style sheets of this origin may be loaded. */
  readonly loadsOwnFiles: boolean
}

/**
 * Headers of one of our own pages. Each style sheet, and a script where there is one, is named by its hash. There is no `form-action`: the logout form
 * leads on to the provider, and Chromium applies that directive to redirects.
 *
 * @param frameAncestors who may frame the page: `'none'`, or the provider's origin for its front-channel logout
 */
export function pageHeaders(policy: PagePolicy, frameAncestors = "'none'"): HeaderFields {
  const hashes = policy.styles.map(hashSource)
  const scripts =
    policy.scripts === undefined ? '' : `; script-src ${policy.scripts.map(hashSource).join(' ')}`
  const styles = [...(policy.loadsOwnFiles ? ["'self'"] : []), ...new Set(hashes)].join(' ')
  const files = policy.loadsOwnFiles ? "; img-src 'self' data:; font-src 'self'" : ''
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': `default-src 'none'; style-src ${styles}${scripts}${files}; base-uri 'none'; frame-ancestors ${frameAncestors}`,
    'referrer-policy': htmlReferrerPolicy,
    'cache-control': 'no-store',
  }
}

function hashSource(content: string): string {
  return `'sha256-${createHash('sha256').update(content).digest('base64')}'`
}
