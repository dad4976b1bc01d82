import { createHash } from 'node:crypto'

/** What the settings say about headers. */
export interface SecurityHeaderOptions {
  readonly baseUrl: URL
  /** Value of `Strict-Transport-Security`; `undefined` sends none. */
  readonly hsts: string | undefined
}

/** Header fields, lower-case names. */
export type HeaderFields = Readonly<Record<string, string>>

/** On every answer, proxied ones included: no content sniffing, and https only (RFC 6797) where we are on https. */
export function transportHeaders(options: SecurityHeaderOptions): HeaderFields {
  const nosniff = { 'x-content-type-options': 'nosniff' }
  const isHttps = options.baseUrl.protocol === 'https:'
  return isHttps && options.hsts !== undefined
    ? { ...nosniff, 'strict-transport-security': options.hsts }
    : nosniff
}

/**
 * What HTML of ours says about the address it came from. Never `no-referrer`: that makes a form's POST carry `Origin: null`, which the
 * guard refuses.
 */
export const htmlReferrerPolicy = 'same-origin'

/** The policy of the app's pages unless `SPA_CSP` replaces it: no plug-ins, no moved base, no frame around it. */
export const defaultSpaCsp = "object-src 'none'; base-uri 'self'; frame-ancestors 'none'"

/**
 * Headers of one of our own pages. There is no script and one style sheet, named by its hash. There is no `form-action`: the logout form
 * leads on to the provider, and Chromium applies that directive to redirects.
 *
 * @param styleSheet the text inside the page's only style element
 * @param frameAncestors who may frame the page: `'none'`, or the provider's origin for its front-channel logout
 */
export function pageHeaders(styleSheet: string, frameAncestors = "'none'"): HeaderFields {
  const styleHash = createHash('sha256').update(styleSheet).digest('base64')
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; frame-ancestors ${frameAncestors}`,
    'referrer-policy': htmlReferrerPolicy,
    'cache-control': 'no-store',
  }
}
