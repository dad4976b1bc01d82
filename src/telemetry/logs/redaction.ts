/** Names whose values are never written, wherever they turn up in an object that somebody logs; compared without case, `-` and `_`. */
const secretNames: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'setcookie',
  'accesstoken',
  'idtoken',
  'refreshtoken',
  'logouttoken',
  'clientsecret',
  'sessionsecret',
  'codeverifier',
  'state',
  'nonce',
])

/** Deeper objects are not written at all: nobody reads them, and a cycle has no end. */
const deepest = 6

const censor = '[redacted]'

const isSecretName = new Map<string, boolean>()
/** The names that are logged are few; should that ever change, memory stays bounded. */
const mostNames = 1_000

/**
 * The fields of a log line with secret values replaced. Copies only what it changes. An own pass over the object, because the logger's
 * redaction by paths costs forty times the line itself and reaches only the depths that are written out.
 */
export function redact(fields: Record<string, unknown>): Record<string, unknown> {
  return redactObject(fields, 0)
}

function redactObject(fields: Record<string, unknown>, depth: number): Record<string, unknown> {
  let copy: Record<string, unknown> | undefined
  for (const name in fields) {
    const value = fields[name]
    const kept = isSecret(name) ? censor : redactValue(value, depth + 1)
    if (kept === value) continue
    copy ??= { ...fields }
    copy[name] = kept
  }
  return copy ?? fields
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value
  // Errors and Fastify's requests have serializers of their own; other instances say by themselves what JSON shows of them.
  if (Array.isArray(value)) return depth > deepest ? censor : redactArray(value, depth)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  return depth > deepest ? censor : redactObject(value as Record<string, unknown>, depth)
}

function redactArray(values: readonly unknown[], depth: number): readonly unknown[] {
  const kept = values.map((value) => redactValue(value, depth + 1))
  return kept.some((value, at) => value !== values[at]) ? kept : values
}

function isSecret(name: string): boolean {
  const known = isSecretName.get(name)
  if (known !== undefined) return known
  const found = secretNames.has(name.toLowerCase().replaceAll(/[-_]/g, ''))
  if (isSecretName.size < mostNames) isSecretName.set(name, found)
  return found
}
