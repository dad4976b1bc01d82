/** Parameters whose values are for the provider alone: proofs, codes, tokens, and what names the user. */
const secretNames: ReadonlySet<string> = new Set([
  'client_secret',
  'client_assertion',
  'code',
  'code_verifier',
  'state',
  'nonce',
  'refresh_token',
  'token',
  'assertion',
  'subject_token',
  'actor_token',
  'device_code',
  'password',
  'request',
  'request_uri',
  'id_token_hint',
  'login_hint',
])

/** Anything shorter is part of ordinary words, characters. */
const shortestSecret = 4

function secretsIn(parameters: URLSearchParams): readonly string[] {
  return [...parameters].flatMap(([name, value]) => (secretNames.has(name) ? [value] : []))
}

/** The secrets of a request: those in its form, and its credentials, as they went out and taken apart. */
export function secretsSent({
  headers,
  body,
}: {
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
}): readonly string[] {
  const [scheme = '', credentials = ''] = (new Headers(headers).get('authorization') ?? '').split(' ')
  return [
    ...secretsIn(new URLSearchParams(String(body ?? ''))),
    credentials,
    ...(scheme.toLowerCase() === 'basic' ? [basicPassword(credentials)] : []),
  ]
}

/** RFC 6749 section 2.3.1: both halves are form-encoded before they are joined. */
function basicPassword(credentials: string): string {
  const encoded = Buffer.from(credentials, 'base64')
    .toString()
    .replace(/^[^:]*:/, '')
  return new URLSearchParams(`password=${encoded}`).get('password') ?? ''
}

/** A foreign text without what we have sent: some providers repeat that in an error, as it is or encoded as in an address. */
export function withoutSecrets(untrusted: string, secrets: readonly string[]): string {
  const spellings = secrets.filter((secret) => secret.length >= shortestSecret).flatMap(spellingsOf)
  if (spellings.length === 0) return untrusted
  // Of two that begin alike the longer one, and all at once: what stands in a secret's place is not looked at again.
  const patterns = spellings.toSorted((one, other) => other.length - one.length).map(literally)
  return untrusted.replaceAll(new RegExp(patterns.join('|'), 'g'), '[a secret]')
}

function literally(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}

/** How a value may stand in a text; some encoders write `%2f`. */
function spellingsOf(secret: string): readonly string[] {
  const encoded = [encodeURIComponent(secret), `${new URLSearchParams([['', secret]])}`.slice(1)]
  const inLowerCase = encoded.map((text) => text.replaceAll(/%../g, (one) => one.toLowerCase()))
  return [secret, ...encoded, ...inLowerCase]
}
