/**
 * What bytes are sealed for. Each purpose has keys of its own, so that nothing sealed for one can be presented as another.
 */
export const sealPurposes = [
  'record',
  'facts',
  'login-transaction',
  'logout-transaction',
  'listing',
  'step-up',
] as const

/** One of {@link sealPurposes}. */
export type SealPurpose = (typeof sealPurposes)[number]

/** What text is authenticated or pseudonymised for; keys of their own here too. */
export const macPurposes = [
  'index',
  'public-id',
  'csrf-form',
  'log-reference',
  'device-challenge',
  'device-value',
] as const

/** One of {@link macPurposes}. */
export type MacPurpose = (typeof macPurposes)[number]
