/** Freezes plain objects and arrays all the way down. Class instances such as URL stay as they are. */
export function deepFreeze<Value>(value: Value): Value {
  if (Array.isArray(value) || isPlainObject(value)) {
    for (const member of Object.values(value)) deepFreeze(member)
    Object.freeze(value)
  }
  return value
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}
