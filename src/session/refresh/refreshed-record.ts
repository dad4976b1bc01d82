import type { RefreshOutcome } from '../../oidc/provider/provider.ts'
import type { AccessToken } from '../../oidc/tokens/token-set.ts'
import type { SessionRecord } from '../record/session.ts'

/** What a good answer brought. */
export type Obtained = Pick<
  Extract<RefreshOutcome, { kind: 'refreshed' }>,
  'refreshToken' | 'idToken' | 'identity' | 'binding'
> & {
  readonly accessToken?: AccessToken
  readonly sessionExpirySeconds?: number | undefined
}

/**
 * The record after a refresh. What did not come stays; who signed in, in which session of the provider and when, never changes,
 * because the indexes were made of it; the end may come nearer, never go further away.
 */
export function refreshedRecord(
  record: SessionRecord,
  audienceKey: string,
  obtained: Obtained,
): SessionRecord {
  const { identity, tokens } = record
  const { accessToken, refreshToken, idToken, sessionExpirySeconds: expiry } = obtained
  const access = accessToken === undefined ? tokens.access : { ...tokens.access, [audienceKey]: accessToken }
  return {
    ...record,
    endsAtMs: expiry === undefined ? record.endsAtMs : Math.min(record.endsAtMs, Math.floor(expiry * 1_000)),
    identity: {
      ...obtained.identity,
      issuer: identity.issuer,
      subject: identity.subject,
      providerSessionId: identity.providerSessionId,
      loginIssuedAtSeconds: identity.loginIssuedAtSeconds,
    },
    tokens: {
      ...tokens,
      ...(obtained.binding === undefined ? {} : { binding: obtained.binding }),
      idToken: idToken ?? tokens.idToken,
      refreshToken: refreshToken ?? tokens.refreshToken,
      access,
    },
  }
}
