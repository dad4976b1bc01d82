/** Whether a value is an object of JSON: neither a list nor nothing. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The object that a text holds as JSON; `undefined` for everything else. */
export function parseObject(untrustedText: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(untrustedText)
    return isPlainObject(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}
