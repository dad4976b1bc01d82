/** The fields of audit events. References are truncated HMACs; nothing here can be used to act as anybody. */
export const auditFields = {
  requestId:
    'Id of the request: also in its request line, in its problem document, and sent to the upstream.',
  sessionRef: 'Pseudonym of the session, stable under one `SESSION_SECRET`.',
  userRef: 'Pseudonym of the user (issuer and subject), likewise.',
  outcome: 'What came of it.',
  code: 'The problem code that the browser was told.',
  cause:
    'Who ended it: `operator`, by `coatcheck sessions revoke`, which writes the line itself, on standard error.',
  reason: 'Why; a word or short sentence of ours, or an error code of the provider.',
  check:
    'Which check failed: of an ID token `id_token.iss`, `.aud`, `.azp`, `.exp`, `.iat`, `.nonce`, `.sub`, `.at_hash`, `.alg`, `.kid`, `.signature`, `.acr`, `.auth_time`; `token.type`, `.access_token`; `logout_token.…`, `userinfo.…` likewise; `response.iss`, `response.state`, `response.mode`.',
  expected: 'What it was compared with; at most 200 characters, a subject as its pseudonym.',
  received: 'What came; likewise. Never a nonce or a state.',
  providerError: 'The provider’s `error`.',
  providerErrorDescription: 'The provider’s `error_description`, on one line, at most 300 characters.',
  providerErrorUri: 'The provider’s `error_uri`.',
  count: 'Sessions that were ended.',
  revoked: 'Whether the provider confirmed that the refresh token is revoked.',
} as const

/** Name of a field. */
export type AuditFieldName = keyof typeof auditFields

/** What is said about an event. */
interface AuditEventFacts {
  /** When it is written: a sentence. */
  readonly when: string
  /** In this order; all may be missing where they are not known. */
  readonly fields: readonly AuditFieldName[]
  /** Written as a warning. */
  readonly isRefusal?: true
}

/** Why something of the provider's was refused. */
const refusalFields = [
  'check',
  'expected',
  'received',
  'providerError',
  'providerErrorDescription',
  'providerErrorUri',
] as const satisfies readonly AuditFieldName[]

/**
 * Every audit event: a stable schema, and the source of its types and of `docs/audit-events.md`. Names and fields are never renamed or
 * reused with another meaning; new ones may be added.
 */
export const auditEvents = {
  'login.started': { when: 'A browser was sent to the provider.', fields: ['requestId'] },
  'login.completed': {
    when: 'A login came back, and its session began.',
    fields: ['requestId', 'sessionRef', 'userRef'],
  },
  'login.refused': {
    when: 'A login came back and no session was made of it.',
    fields: ['requestId', 'code', 'reason', ...refusalFields],
    isRefusal: true,
  },
  'session.refreshed': {
    when: 'The tokens of a session were refreshed.',
    fields: ['sessionRef', 'userRef'],
  },
  'session.refresh_failed': {
    when: 'A refresh did not bring a usable token; `outcome` is `unusable`, `refused`, `rejected`, `unavailable` or `invalid`.',
    fields: ['sessionRef', 'userRef', 'outcome', 'reason', ...refusalFields],
    isRefusal: true,
  },
  'session.ended': {
    when: 'A session ended other than by a logout; `reason` is `refresh_refused`, `access_token_expired`, or, ended by its user from the list of sessions, `ended_from_list` (that one) or `ended_all` (all of that user).',
    fields: ['requestId', 'sessionRef', 'userRef', 'reason', 'cause', 'count', 'revoked'],
  },
  'logout.completed': {
    when: 'A browser logged out; `outcome` is `ended` or `no_session`.',
    fields: ['requestId', 'outcome', 'sessionRef', 'userRef', 'revoked'],
  },
  'logout.backchannel': {
    when: 'A logout token came; `outcome` is `ended`, `unknown` (no session here), `replayed`, `invalid`, or `failed` (it should be sent again).',
    fields: ['requestId', 'outcome', 'count', 'code', 'reason', ...refusalFields],
  },
  'logout.frontchannel': {
    when: 'The provider’s logout page asked for the end of a session; `outcome` is `ended` or `unknown`.',
    fields: ['requestId', 'outcome', 'count'],
  },
  'device.bound': {
    when: 'A session was bound to the device of its browser.',
    fields: ['requestId', 'sessionRef', 'userRef'],
  },
  'device.proof_failed': {
    when: 'A proof of a device did not hold; `reason` is `registration`, `bound_already`, `signature` or `challenge` (not ours, old, or answered before). The browser is asked again.',
    fields: ['requestId', 'sessionRef', 'userRef', 'reason'],
    isRefusal: true,
  },
  'request.refused': {
    when: 'A request was refused because it could have been forged by another site.',
    fields: ['requestId', 'code', 'reason'],
    isRefusal: true,
  },
} as const satisfies Readonly<Record<string, AuditEventFacts>>

/** Name of an event. */
export type AuditEventName = keyof typeof auditEvents
