import type { Provider } from '../../oidc/provider/provider.ts'
import type { Sealer } from '../../sealing/sealer.ts'
import type { SessionRecords } from '../record/records.ts'
import type { SessionStore } from '../store/contract.ts'
import { createBegin } from './begin.ts'
import { createEnd } from './ending/end.ts'
import { createEndOwn } from './ending/end-own.ts'
import { createListing } from './listing/listing.ts'
import type { Sessions } from './sessions.ts'
import { createTouch } from './touch.ts'

/** What the session service is made of. */
export interface SessionsDependencies {
  /** The same ones that the access tokens have. */
  readonly records: SessionRecords
  readonly store: SessionStore
  readonly sealer: Sealer
  readonly provider: Pick<Provider, 'revoke'>
  readonly now: () => number
}

/** Makes the session service: see {@link Sessions}. */
export function createSessions(dependencies: SessionsDependencies): Sessions {
  const { records, store } = dependencies
  const ends = createEnd(dependencies)
  return {
    find: records.find,
    open: records.open,
    ...createTouch(dependencies),
    ...createBegin(dependencies),
    ...ends,
    ...createEndOwn(dependencies),
    ...createListing({ ...dependencies, end: ends.end }),
    exist: (hs) => store.exist(hs),
    deviceLivesMs: (hs) => store.deviceLivesMs(hs),
    subscribe: (listener) => store.changes.subscribe(listener),
    isLive: () => store.changes.isLive(),
    userRef: ({ issuer, subject }) => records.references.user(issuer, subject),
  }
}
