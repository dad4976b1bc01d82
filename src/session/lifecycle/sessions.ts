import type { AccessTokenFault, CompletedLogin } from '../../oidc/provider/provider.ts'
import type { AccessToken, ApiAudience, Identity } from '../../oidc/tokens/token-set.ts'
import type { SessionRecord, SessionView } from '../record/session.ts'

/** A session opened with its id: the whole record. */
export interface OpenSession {
  readonly id: string
  readonly view: SessionView
  readonly record: SessionRecord
}

/** One of a user's sessions, as the user may see it. */
export interface ListedSession {
  /** An HMAC of `h`: names the session, cannot be used as one. */
  readonly id: string
  readonly browserFamily: string
  readonly createdAtMs: number
  readonly lastSeenAtMs: number
  /** Whether it is bound to a device. */
  readonly isDeviceBound: boolean
  readonly current: boolean
}

/** Which of a user's sessions are listed. */
export interface ListRange {
  /** Most sessions in the answer. */
  readonly limit: number
  /** `next` of the answer before, from the browser. */
  readonly untrustedAfter: string | undefined
}

/** A part of a user's sessions, the newest first. */
export interface ListedPage {
  readonly sessions: readonly ListedSession[]
  /** With what the list goes on; `undefined`: there are no more. */
  readonly next: string | undefined
}

/** An own session that has ended. */
export interface EndedSession {
  /** Whether it was still there. */
  readonly existed: boolean
  /** The newest refresh token that it had: the caller revokes it. */
  readonly refreshToken: string | undefined
}

/** Result of {@link Sessions.endOthersOf}. */
export interface OthersEnded {
  readonly ended: number
  /** Sessions that may still be there, because the store did not answer about them. */
  readonly failed: number
}

/** Result of {@link Sessions.begin}. */
export type BeginResult =
  | { readonly kind: 'begun'; readonly session: OpenSession }
  /** A logout that arrived during the callback; the session was deleted again and its refresh token revoked. */
  | { readonly kind: 'ended_meanwhile' }

/** Everything that may be done with sessions. Rejects with `session_store_unavailable` when the store does not answer. */
export interface Sessions {
  /**
   * The proxy's lookup: from the cache without a promise, else from the store. `undefined`: no live session.
   * Synchronous results matter: they keep a signed-in request free of microtasks.
   */
  find(untrustedId: string): SessionView | undefined | Promise<SessionView | undefined>
  /** The full record, always from the store. `undefined`: no live session. */
  open(untrustedId: string): Promise<OpenSession | undefined>
  /** Counts activity now; coalesced, in the background, never creates anything. */
  touch(view: SessionView): void
  /** Counts activity and waits for the write; used where the answer reports the new idle end. */
  touchNow(view: SessionView): Promise<void>
  /** Redeems a login's state, once anywhere. Resolves to the store's clock in epoch ms, or `undefined` if it was redeemed before. */
  redeemState(state: string): Promise<number | undefined>
  /** Index members → create → tombstones (DESIGN section 3.1), under a session id that nobody has seen yet. */
  begin(input: {
    readonly id: string
    readonly login: CompletedLogin
    readonly audienceKey: string
    readonly browserFamily: string
    /** From {@link Sessions.redeemState}. */
    readonly redeemedAtMs: number
  }): Promise<BeginResult>
  /** Ends one session by its hash. Resolves to whether it existed. */
  end(h: string): Promise<boolean>
  /** Ends an opened session, its index members included. The caller revokes what it is handed. */
  endOpened(session: OpenSession): Promise<EndedSession>
  /** Back-channel logout: tombstone → index → delete members not newer than the token → jti. */
  endByLogoutToken(input: {
    readonly issuer: string
    readonly subject: string | undefined
    readonly providerSessionId: string | undefined
    readonly issuedAtSeconds: number
    readonly jti: string
  }): Promise<{ readonly ended: number; readonly replayed: boolean }>
  /** Whether there are sessions that such a logout token would end. */
  isNamed(input: {
    readonly issuer: string
    readonly subject: string | undefined
    readonly providerSessionId: string | undefined
  }): Promise<boolean>
  /** Front-channel logout: every session of that provider session. */
  endByProviderSession(issuer: string, providerSessionId: string): Promise<number>
  /** A page of the user's own sessions, the newest first; `undefined` when `after` is not from a page of this user's. */
  list(session: OpenSession, range: ListRange): Promise<ListedPage | undefined>
  /**
   * Ends one of the user's other sessions by its listed id, whatever the secret of the node that listed it. `own`: it is this one, which
   * was left alone; `unknown`: the user has no such session.
   */
  endListed(session: OpenSession, untrustedId: string): Promise<'ended' | 'own' | 'unknown'>
  /** Ends all of the user's other sessions, those whose login is under way included. Rejects only when nothing could be done. */
  endOthersOf(session: OpenSession): Promise<OthersEnded>
  /** Resolves when nothing that was begun here is under way any more; called at shutdown. */
  drained(): Promise<void>
  /** Whether each of these sessions still exists, for open streams; `undefined`: its part of the store does not answer. */
  exist(hs: readonly string[]): Promise<readonly (boolean | undefined)[]>
  /** For how long the device of each of these sessions stays proven without another renewal, milliseconds; see `SessionStore`. */
  deviceLivesMs(hs: readonly string[]): Promise<readonly (number | undefined)[]>
  /** Changes of sessions anywhere; see `SessionChanges`. */
  subscribe(listener: (h: string | undefined) => void): () => void
  /** True while every change is certain to be heard. */
  isLive(): boolean
  /** Pseudonymous, stable reference of a user for logs. */
  userRef(identity: Pick<Identity, 'issuer' | 'subject'>): string
}

/** Access tokens of sessions: usable, refreshed, or a clear failure (DESIGN section 3.3). */
export interface AccessTokens {
  /**
   * The token to send for this session and API. Synchronous when one is usable (a due refresh starts in the background); a
   * promise when the request has to wait for a refresh.
   * @throws GatewayError `session_expired`, `refresh_refused`, `access_token_unusable`, `provider_rejected`,
   *   `provider_unavailable`, `session_store_unavailable`
   */
  get(untrustedId: string, view: SessionView, audience: ApiAudience): AccessToken | Promise<AccessToken>
  /**
   * After an upstream 401 `invalid_token`: a token other than `rejected`, or `undefined` when no cure is allowed (the rejected
   * one is current and younger than 30 s, or a refresh was forced for this session and API within 60 s).
   *
   * @param leastAgeMs another age than those 30 s, milliseconds
   */
  cure(
    untrustedId: string,
    view: SessionView,
    audience: ApiAudience,
    rejected: AccessToken,
    leastAgeMs?: number,
  ): Promise<AccessToken | undefined>
  /** For `POST /session/refresh`: refreshes the default API's token if due; resolves when done. */
  refreshIfDue(untrustedId: string, view: SessionView, audience: ApiAudience): Promise<void>
  /**
   * Writes a change of a session's record: the one way to do so besides a refresh, and inside the same lease, so that neither throws the
   * other's work away. `change` is asked of the newest record, and again when somebody wrote in between; returning its argument writes
   * nothing. Resolves to the session as it is then.
   * @throws GatewayError `session_expired`, `refresh_refused`, `provider_unavailable` (a refresh takes too long),
   *   `session_store_unavailable`
   */
  update(session: OpenSession, change: (record: SessionRecord) => SessionRecord): Promise<OpenSession>
  /** Resolves when no refresh is under way any more; called at shutdown. */
  drained(): Promise<void>
}

/** The fault of an unusable access token as the problem's `detail`. */
export function describeFault(fault: AccessTokenFault): string {
  return `${fault.explanation} ${fault.remedy}`
}
