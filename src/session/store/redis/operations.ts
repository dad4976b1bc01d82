/** The operations of the store, as metrics and logs name them. */
export const storeOperations = [
  'read',
  'exist',
  'read_facts',
  'scan',
  'create',
  'replace',
  'touch',
  'delete',
  'take',
  'take_read',
  'device_mark',
  'device_lives',
  'lease_acquire',
  'lease_renew',
  'lease_release',
  'index_add',
  'index_remove',
  'index_read',
  'redeem_state',
  'tombstone_write',
  'tombstone_read',
  'token_read',
  'token_write',
  'count',
  'ping',
] as const

/** One of {@link storeOperations}. */
export type StoreOperation = (typeof storeOperations)[number]
