/** What the keys of all sessions of all frontends begin with: the one prefix of the invalidation feed. */
export const sessionKeyPrefix = 'coatcheck:session:'

const sessionKeyPattern = /^coatcheck:session:(?:@[a-z][a-z0-9-]{0,31}:)?\{[A-Za-z0-9_-]{43}\}$/

/**
 * The one builder of names in the store. Each frontend has names of its own; the unnamed one, which is the only one of a process without
 * `FRONTENDS_FILE`, keeps those without a name in them. What is in braces is the hash tag on a Cluster.
 */
export interface StoreKeys {
  /** `undefined`: the unnamed one. */
  readonly frontend: string | undefined
  /** Pattern of all sessions of this frontend and of no other, for `SCAN`. */
  readonly sessions: string
  session(h: string): string
  /** The refresh lease, in the slot of the session. */
  lease(h: string): string
  /** What a session was when its holder ended it, for as long as its deletion may have to be asked about again; in its slot. */
  taken(h: string): string
  /** The last renewals of a session's device; in the slot of the session. */
  device(h: string): string
  usedState(stateHash: string): string
  usedTokenId(jtiHash: string): string
  count(counterKey: string): string
  /** @param mac under the frontend's own secret, as in the following */
  bySubject(mac: string): string
  byProviderSession(mac: string): string
  ended(mac: string): string
}

/**
 * Makes the names of one frontend.
 *
 * @param frontend its name in `FRONTENDS_FILE`; `undefined` without one
 */
export function createStoreKeys(frontend?: string): StoreKeys {
  const infix = frontend === undefined ? '' : `@${frontend}:`
  const named =
    (kind: string) =>
    (rest: string): string =>
      `coatcheck:${kind}:${infix}${rest}`
  const tagged =
    (kind: string) =>
    (h: string): string =>
      `coatcheck:${kind}:${infix}{${h}}`
  return {
    frontend,
    sessions: `${sessionKeyPrefix}${infix}{*`,
    session: tagged('session'),
    lease: tagged('refresh'),
    taken: tagged('taken'),
    device: tagged('device'),
    usedState: named('used-state'),
    usedTokenId: named('used-jti'),
    count: named('count'),
    bySubject: named('by-sub'),
    byProviderSession: named('by-sid'),
    ended: named('ended'),
  }
}

/** Whose session a key is, `undefined` when it is none. */
export function readSessionKey(
  untrustedKey: string,
): { readonly frontend: string | undefined; readonly h: string } | undefined {
  // Every change of every session comes by here: no list of groups is made.
  if (!sessionKeyPattern.test(untrustedKey)) return undefined
  const brace = untrustedKey.indexOf('{')
  const isNamed = brace > sessionKeyPrefix.length
  return {
    frontend: isNamed ? untrustedKey.slice(sessionKeyPrefix.length + 1, brace - 1) : undefined,
    h: untrustedKey.slice(brace + 1, -1),
  }
}
