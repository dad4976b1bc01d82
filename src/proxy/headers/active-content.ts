/**
 * Types that browsers run scripts from, or parts of which they would: HTML, every XML type (SVG and XHTML included), and
 * multipart replacement. Searched anywhere in the value, because browsers take the last of several types.
 */
const activeType =
  /(?:^|[\s,;"])(?:text\/html|text\/xsl|multipart\/x-mixed-replace|[^\s,;"/]+\/(?:[^\s,;"]+\+)?xml)(?=$|[\s,;"])/i

/** Whether a browser may treat an answer of this `content-type` as a document of our origin that can act. */
export function isActiveContent(contentType: string): boolean {
  return activeType.test(contentType)
}

/**
 * The policy for such a document when the API sent none: it is shown, in an origin of its own, without scripts, forms and
 * requests. Inline styles are kept so that reports and mails stay readable.
 */
export const sandboxPolicy =
  "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
