/**
 * What pages of an origin remember. Storage may be full, switched off or forbidden; then nothing is remembered, and everything else goes on.
 */
export function remembered(kind: 'localStorage' | 'sessionStorage', name: string): string | undefined {
  try {
    return globalThis[kind].getItem(name) ?? undefined
  } catch {
    return undefined
  }
}

/** Remembers a value, or forgets it. */
export function remember(
  kind: 'localStorage' | 'sessionStorage',
  name: string,
  value: string | undefined,
): void {
  try {
    if (value === undefined) globalThis[kind].removeItem(name)
    else globalThis[kind].setItem(name, value)
  } catch {
    // Said above.
  }
}
