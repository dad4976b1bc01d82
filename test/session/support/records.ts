import type { SessionFacts, SessionRecord } from '../../../src/session/record/session.ts'

const segment = (bytes: number, fill: number): string => Buffer.alloc(bytes, fill).toString('base64url')

/** A token of JWT's form, about 1,200 characters long, different for each fill. */
export function jwtLike(fill: number): string {
  return `${segment(60, fill)}.${segment(577, fill + 1)}.${segment(256, fill + 2)}`
}

/** A record as a login at an Auth0-shaped provider makes it. */
export const sampleRecord: SessionRecord = {
  createdAtMs: 1_795_000_000_000,
  endsAtMs: 1_795_036_000_000,
  browserFamily: 'Firefox',
  identity: {
    issuer: 'https://tenant.example/',
    subject: 'auth0|6543210',
    providerSessionId: 'sid-1',
    loginIssuedAtSeconds: 1_795_000_000,
    authTimeSeconds: undefined,
    acr: undefined,
    claims: { sub: 'auth0|6543210', name: 'Ada', email: 'ada@example.test' },
  },
  tokens: {
    idToken: jwtLike(1),
    refreshToken: `v1.${segment(48, 9)}`,
    access: {
      default: { value: jwtLike(4), obtainedAtMs: 1_795_000_000_000, expiresAtMs: 1_795_003_600_000 },
    },
  },
}

/** The facts that belong to {@link sampleRecord}. */
export const sampleFacts: SessionFacts = {
  createdAtMs: sampleRecord.createdAtMs,
  endsAtMs: sampleRecord.endsAtMs,
  browserFamily: 'Firefox',
  subjectIndex: `coatcheck:by-sub:${segment(32, 5)}`,
  providerSessionIndex: `coatcheck:by-sid:${segment(32, 6)}`,
  isDeviceBound: false,
}
