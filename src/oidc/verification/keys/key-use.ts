/**
 * What a JWT is verified for. Those of token responses come from the provider itself, logout tokens from anybody: for these the keys are
 * fetched anew only within the budget of the session that they name, if there is one.
 */
export type KeyUse =
  | { readonly kind: 'login' }
  | { readonly kind: 'refresh' }
  | { readonly kind: 'userinfo' }
  /** A signed authorization response, which comes through the browser: whoever began a login can forge one. */
  | { readonly kind: 'response' }
  /** An access token that a caller has brought: anybody's word. */
  | { readonly kind: 'bearer' }
  /** An access token that the provider has just issued to us. */
  | { readonly kind: 'access_token' }
  | { readonly kind: 'logout'; readonly namedSession: () => Promise<string | undefined> }

/** How checks name the token. */
export const tokenNames = {
  login: 'id_token',
  refresh: 'id_token',
  logout: 'logout_token',
  userinfo: 'userinfo',
  response: 'response',
  bearer: 'token',
  access_token: 'token',
} as const satisfies Readonly<Record<KeyUse['kind'], string>>

/** Whether anybody can send such a JWT, as often as he likes. */
export function isAnybodys({ kind }: KeyUse): boolean {
  return kind === 'logout' || kind === 'bearer' || kind === 'response'
}
