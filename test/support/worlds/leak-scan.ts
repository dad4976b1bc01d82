/** What kind of secret it is: the scan insists that each expected kind was seen at all. */
export type SecretKind =
  | 'access token'
  | 'refresh token'
  | 'id token'
  | 'authorization code'
  | 'code verifier'
  | 'client secret'
  | 'session secret'
  | 'cookie value'

/** A secret found where it must not be; the secret itself is not repeated. */
export interface Leak {
  readonly surface: string
  readonly kind: SecretKind
  readonly form: string
  /** Where in the surface, in bytes. */
  readonly at: number
}

/** Collects secrets and places, and says which secret is to be seen in which place. */
export interface LeakScan {
  secret(kind: SecretKind, value: string): void
  /** A place to search; `allowed` kinds may be found there. */
  surface(name: string, content: string | Buffer, allowed?: readonly SecretKind[]): void
  kinds(): ReadonlySet<SecretKind>
  surfaces(): number
  leaks(): readonly Leak[]
}

/** Shorter texts turn up by chance. */
const minimumSecretLength = 8

/** A leading piece of this length gives a truncated secret away. */
const pieceLength = 24

/** Of a payload, which has less in each character. */
const middleLength = 60

interface Needle {
  readonly kind: SecretKind
  readonly form: string
  readonly bytes: Buffer
}

/** Creates an empty scan. */
export function createLeakScan(): LeakScan {
  const secrets = new Map<string, SecretKind>()
  const places: { name: string; content: Buffer; allowed: readonly SecretKind[] }[] = []
  return {
    secret(kind, value) {
      if (value.length >= minimumSecretLength) secrets.set(value, kind)
    },
    surface(name, content, allowed = []) {
      places.push({ name, content: Buffer.from(content as string), allowed })
    },
    kinds: () => new Set(secrets.values()),
    surfaces: () => places.length,
    leaks() {
      const needles = [...secrets].flatMap(([value, kind]) => needlesOf(kind, value))
      return places.flatMap(({ name, content, allowed }) =>
        needles
          .filter(({ kind }) => !allowed.includes(kind))
          .map(({ kind, form, bytes }) => ({ surface: name, kind, form, at: content.indexOf(bytes) }))
          .filter(({ at }) => at >= 0),
      )
    },
  }
}

/** Every form in which a secret may lie around: as it is, cut off, encoded, or only the telling parts of a JWT. */
function needlesOf(kind: SecretKind, secret: string): Needle[] {
  const needles: Needle[] = []
  const add = (form: string, bytes: Buffer | string): void => {
    needles.push({ kind, form, bytes: Buffer.from(bytes as string) })
  }
  for (const { part, text } of tellingParts(secret)) {
    for (const { name, piece } of piecesOf(part, text)) add(`${part}, raw, ${name}`, piece)
    if (encodeURIComponent(text) !== text) add(`${part}, URL-encoded`, encodeURIComponent(text))
    add(`${part}, hexadecimal`, Buffer.from(text).toString('hex'))
    for (const encoding of ['base64', 'base64url'] as const) {
      for (const offset of [0, 1, 2])
        add(`${part}, ${encoding} at ${offset}`, shifted(text, offset, encoding))
    }
    const decoded = Buffer.from(text, 'base64url')
    if (decoded.length >= 16 && decoded.toString('base64url') === text) add(`${part}, decoded`, decoded)
  }
  return needles
}

/**
 * A token that was cut off somewhere is a leak too. Payloads of one provider begin and end alike, whatever token they are of; their
 * middle tells them apart.
 */
function piecesOf(part: string, text: string): { name: string; piece: string }[] {
  const middle = Math.max(0, Math.floor((text.length - middleLength) / 2))
  if (part === 'payload') return [{ name: 'its middle', piece: text.slice(middle, middle + middleLength) }]
  return [
    { name: 'its beginning', piece: text.slice(0, pieceLength) },
    { name: 'its end', piece: text.slice(-pieceLength) },
  ]
}

/** A JWT's header is the same in all of them and says nothing; its payload and signature do. */
function tellingParts(secret: string): { part: string; text: string }[] {
  const parts = secret.split('.')
  const isJwt = parts.length >= 3 && secret.startsWith('eyJ')
  if (!isJwt) return [{ part: 'whole', text: secret }]
  return parts
    .slice(1)
    .map((text, index) => ({ part: index === 0 ? 'payload' : `part ${index + 2}`, text }))
    .filter(({ text }) => text.length >= minimumSecretLength)
}

/** The text in base64 as it looks when it begins `offset` bytes into a group of three; the outer characters depend on neighbours. */
function shifted(text: string, offset: number, encoding: 'base64' | 'base64url'): string {
  const encoded = Buffer.from('\0'.repeat(offset) + text).toString(encoding)
  const lead = offset === 0 ? 0 : 4
  return encoded.replace(/=+$/, '').slice(lead, -2)
}
