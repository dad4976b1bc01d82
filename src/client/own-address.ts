/**
 * An address of this page's own origin, as a path that leads there wherever it is resolved, or `undefined` when it belongs to anybody else.
 * What answers hold is checked by it before the page goes there: an API may write documents that look like the gateway's.
 */
export function ownPath(untrusted: string): string | undefined {
  const url = resolve(untrusted)
  // The scheme too: a blob: address has the origin of the page that made it.
  if (url?.origin !== location.origin || !url.href.startsWith(location.origin)) return undefined
  const path = url.pathname + url.search
  // Two slashes at the start would name a host.
  return path.startsWith('//') ? `/.${path}` : path
}

function resolve(untrusted: string): URL | undefined {
  try {
    return new URL(untrusted, location.origin)
  } catch {
    return undefined
  }
}

/**
 * The path with these parameters.
 *
 * @throws TypeError when it leads to another origin
 */
export function withQuery(untrustedPath: string, parameters: Readonly<Record<string, string>>): string {
  const path = ownPath(untrustedPath)
  if (path === undefined) throw new TypeError(`${untrustedPath} is no address of ${location.origin}`)
  const url = new URL(path, location.origin)
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return path.split('?', 1)[0] + url.search
}
