import type { SessionRow, SessionStore } from '../../contract.ts'
import { type StoreKeys, sessionKeyPrefix } from '../../keys.ts'
import type { StoreOperation } from '../operations.ts'

/** The operations that are tried; the store without what only a whole one has. */
export type TriedStore = Omit<
  SessionStore,
  'kind' | 'keys' | 'forFrontend' | 'status' | 'aheadMs' | 'changes' | 'close'
>

/** What a trial leaves behind is gone after this, milliseconds. */
const lifeMs = 1_000
/** Stands for whatever an operation is told: no hash, owner or challenge is as short. */
const trial = 'trial'
const row: SessionRow = {
  sealedRecord: Buffer.from(trial),
  writeId: trial,
  sealedFacts: Buffer.from(trial),
  lastSeenAtMs: 1,
}
const next = { sealedRecord: Buffer.from(trial), writeId: 'next', sealedFacts: Buffer.from(trial) }
const members = ['old', trial].map((h) => ({ h, issuedAtSeconds: 1 }))

async function createAnew(store: TriedStore): Promise<unknown> {
  // Over what an earlier trial has left, less would be tried.
  await store.delete(trial)
  return store.create(trial, row, lifeMs)
}

async function fillIndex(store: TriedStore, key: string): Promise<void> {
  // The second finds the first one old, and prunes.
  for (const member of members) await store.addToIndex(key, member, lifeMs)
}

type Trial = (store: TriedStore, key: string) => Promise<unknown>

/** Each operation, as completely as it is carried out for a session. */
const trials: Readonly<Record<StoreOperation, Trial>> = {
  read: (store) => store.read(trial),
  exist: (store) => store.exist([trial]),
  read_facts: (store) => store.readFacts([trial]),
  scan: (store) => store.scan()[Symbol.asyncIterator]().next(),
  create: createAnew,
  async replace(store) {
    await createAnew(store)
    await store.replace(trial, row.writeId, next, lifeMs / 2)
  },
  async touch(store) {
    await createAnew(store)
    await store.touch(trial, row.lastSeenAtMs + 1, lifeMs)
  },
  async delete(store) {
    await store.delete(trial)
    await store.deleteEach([trial])
  },
  async take(store) {
    await createAnew(store)
    await store.take(trial, trial, lifeMs)
  },
  take_read: (store) => store.readTaken(trial, trial),
  device_mark: (store) => store.markDevice(trial, trial, lifeMs),
  device_lives: (store) => store.deviceLivesMs([trial]),
  lease_acquire: (store) => store.acquireLease(trial, trial, lifeMs),
  async lease_renew(store) {
    await store.acquireLease(trial, trial, lifeMs)
    await store.renewLease(trial, trial, lifeMs)
  },
  async lease_release(store) {
    await store.acquireLease(trial, trial, lifeMs)
    await store.releaseLease(trial, trial)
  },
  index_add: fillIndex,
  async index_remove(store, key) {
    await fillIndex(store, key)
    await store.removeFromIndex(key, [trial])
    await store.removeFromIndexes([[key, trial]])
  },
  index_read: (store, key) => store.readIndex(key, { offset: 0, count: 1 }),
  async redeem_state(store) {
    await store.delete(trial)
    await store.redeemState(trial, lifeMs)
  },
  tombstone_write: (store, key) => store.writeTombstone(key, lifeMs),
  tombstone_read: (store, key) => store.readTombstones([key]),
  token_read: (store) => store.isTokenUsed(trial),
  token_write: (store) => store.recordTokenUse(trial, lifeMs),
  async count(store) {
    await store.delete(trial)
    await store.count(trial, lifeMs)
  },
  ping: (store) => store.ping(),
}

/**
 * Tries an operation that has failed once more, under a name that is nobody's, so that it is known when it works again although nobody asks for
 * it. It fails, and is measured, as the operation does.
 *
 * @param open makes a store that keeps everything under these names
 * @param failedKey the key that it failed with; the trial's is of the same kind and, on a Cluster, in the same slot
 */
export function tryOperation(
  open: (keys: StoreKeys) => TriedStore,
  operation: StoreOperation,
  failedKey: string | undefined,
): Promise<unknown> {
  const key = trialKey(failedKey ?? `${sessionKeyPrefix}{${trial}}`)
  return trials[operation](open(namesOf(key)), key)
}

function trialKey(key: string): string {
  return key.includes('{') ? `${key}:${trial}` : `coatcheck:${trial}:{${key}}`
}

/** Names that are no session's, whatever is asked for. */
function namesOf(key: string): StoreKeys {
  const name = (): string => key
  return {
    frontend: undefined,
    sessions: `${sessionKeyPrefix}{*`,
    session: name,
    lease: name,
    taken: () => `${key}:taken`,
    device: name,
    usedState: name,
    usedTokenId: name,
    count: name,
    bySubject: name,
    byProviderSession: name,
    ended: name,
  }
}
