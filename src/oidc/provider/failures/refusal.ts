/**
 * Why something that came from the provider was refused: fields of the log line and of the audit event. Values are bounded and on one
 * line; a subject stands there as its pseudonym, nonce and state never.
 */
export interface RefusalFacts {
  /** Which check failed: `id_token.iss`, `token.type`, `logout_token.aud`, `response.iss`, `userinfo.sub` … */
  readonly check?: string
  readonly expected?: string
  readonly received?: string
  /** The provider's own words (RFC 6749 section 5.2): `error`, `error_description`, `error_uri`. */
  readonly providerError?: string
  readonly providerErrorDescription?: string
  readonly providerErrorUri?: string
}

/** Something that the provider sent has failed a check. Its message names the check, never a value. */
export class CheckError extends Error {
  override readonly name: string = 'CheckError'
  /** A short word for metrics and `reason`. */
  readonly code: string
  readonly facts: RefusalFacts

  /**
   * @param check as in {@link RefusalFacts}
   * @param compared both values, where they may be known
   */
  constructor(
    check: string,
    compared: { readonly expected?: unknown; readonly received?: unknown } = {},
    code = 'CHECK_FAILED',
  ) {
    super(check)
    this.code = code
    this.facts = {
      check,
      ...('expected' in compared ? { expected: plainValue(compared.expected) } : {}),
      ...('received' in compared ? { received: plainValue(compared.received) } : {}),
    }
  }
}

/** The user has not signed in as was asked for: no attack, and the user can do something about it. */
export class UnmetDemandError extends CheckError {
  override readonly name = 'UnmetDemandError'

  /** @param claim of the ID token */
  constructor(claim: string, compared: ConstructorParameters<typeof CheckError>[1]) {
    super(`id_token.${claim}`, compared, 'ID_TOKEN_REFUSED')
  }
}

const longestValue = 200
const longestWords = 300

/** A foreign value as text of one line: bounded, control and format characters escaped, tokens masked. */
export function plainValue(untrusted: unknown): string {
  return escaped(textOf(untrusted), longestValue)
}

function textOf(untrusted: unknown): string {
  if (untrusted === undefined || untrusted === null) return 'none'
  if (Array.isArray(untrusted)) return untrusted.map(textOf).join(', ')
  if (typeof untrusted === 'string') return untrusted
  return typeof untrusted === 'object' ? 'an object' : String(untrusted)
}

/** The beginning of a JWT, and what follows: some providers repeat in an error what they were sent. */
const jwt = /eyJ[\w-]{8,}[\w.-]*/g
/** The reference of a pushed request (RFC 9126 section 2.2), which nobody keeps here. */
const reference = /(urn:ietf:params:oauth:request_uri:)[^\s"'<>,;)]+/g

function escaped(untrusted: string, longest: number): string {
  return untrusted
    .slice(0, longest)
    .replaceAll(jwt, '[a token]')
    .replaceAll(reference, '$1[a secret]')
    .replace(
      /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu,
      (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
    )
    .slice(0, longest)
}

/** The provider's own words, of an error answer or of an authorization response. */
export function providerWords(untrusted: {
  readonly error?: unknown
  readonly error_description?: unknown
  readonly error_uri?: unknown
}): RefusalFacts {
  const word = (value: unknown) =>
    typeof value === 'string' && value.trim() !== '' ? escaped(value.trim(), longestWords) : undefined
  const found = {
    providerError: word(untrusted.error),
    providerErrorDescription: word(untrusted.error_description),
    providerErrorUri: word(untrusted.error_uri),
  }
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined))
}

/** The fields of {@link RefusalFacts} in the context of an error, for an audit event. */
export function factsIn(context: Readonly<Record<string, unknown>>): RefusalFacts {
  return Object.fromEntries(
    factNames.flatMap((name) => (typeof context[name] === 'string' ? [[name, context[name]]] : [])),
  )
}

const factNames = [
  'check',
  'expected',
  'received',
  'providerError',
  'providerErrorDescription',
  'providerErrorUri',
] as const satisfies readonly (keyof RefusalFacts)[]
