/**
 * The policy for every answer that may be a document of our origin, whatever the API said itself: it is shown, in an origin of its own,
 * without scripts, forms and requests. Inline styles are kept so that reports and mails stay readable. Of several policies all apply, so
 * one of the API's can only make it stricter.
 */
export const sandboxPolicy =
  "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

/** Directives by which a browser would tell a stranger where the document was opened from. */
const reporting = /^report-(?:uri|to)(?:\s|$)/i

/** An API's own policy without its reports; `undefined` when nothing is left. */
export function withoutReports(policy: string): string | undefined {
  if (!/report-/i.test(policy)) return policy
  const policies = policy.split(',').map(keptDirectives)
  const kept = policies.filter((each) => each !== '').join(', ')
  return kept === '' ? undefined : kept
}

function keptDirectives(policy: string): string {
  const directives = policy.split(';').map((directive) => directive.trim())
  return directives.filter((directive) => directive !== '' && !reporting.test(directive)).join('; ')
}
