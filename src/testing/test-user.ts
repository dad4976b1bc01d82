/** A user as the ID token would describe them: `sub`, and the claims that `GET /session` shall show. */
export interface TestUser {
  readonly sub: string
  readonly [claim: string]: unknown
}
