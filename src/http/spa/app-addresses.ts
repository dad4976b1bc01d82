import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { isNavigation } from '../answers/error-answer.ts'
import { isReservedPath } from '../guards/return-to.ts'

/** Which addresses are the app's. */
export interface AppAddresses {
  /** The path of `BASE_URL`, which the app lies beneath; `''` for none. */
  readonly basePath: string
  /** Lower-case paths that never answer with the app: proxied prefixes and our own endpoints. */
  readonly reservedPaths: readonly string[]
}

/** Endings of files that pages load. One that is missing must fail: the start page in its place would be run as a script. */
const assetEnding =
  /\.(?:avif|bmp|cjs|css|csv|eot|gif|gz|htm|html|ico|jpe?g|js|json|map|mjs|mp[34]|ogg|otf|pdf|png|svg|ttf|txt|wasm|wav|webm|webmanifest|webp|woff2?|xml|zip)$/i

/** The path of the file that is asked for; `undefined`: no file is called so. */
export function filePath({ raw }: FastifyRequest, basePath: string): string | undefined {
  const untrustedPath = pathOf(raw.url)
  if (!untrustedPath.startsWith(`${basePath}/`)) return undefined
  try {
    // An escaped slash stays one: it is part of a name, and no name has it.
    return decodeURI(untrustedPath.slice(basePath.length).replace(/%(?:23|3f)/gi, decodeURIComponent))
  } catch {
    return undefined
  }
}

/** Whether an address is the app's to answer: none of the gateway's, of a route or of a hidden file. */
export function isOfApp({ method, raw }: FastifyRequest, { basePath, reservedPaths }: AppAddresses): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false
  const untrustedPath = pathOf(raw.url)
  return (
    untrustedPath.startsWith(`${basePath}/`) &&
    !isReservedPath(untrustedPath, reservedPaths) &&
    !isHidden(untrustedPath.slice(basePath.length))
  )
}

/** Whether whoever asks shows a page, and no file is missing that pages load. */
export function isPageWanted({ headers, raw }: FastifyRequest): boolean {
  if (!isNavigation(headers) && !isReissuedNavigation(headers)) return false
  return isPageLoad(headers) || !assetEnding.test(pathOf(raw.url))
}

function pathOf(untrustedTarget = ''): string {
  return untrustedTarget.split('?', 1)[0] ?? ''
}

/** A page is loaded for certain, so the address is the app's, whatever it ends with. */
function isPageLoad(untrusted: IncomingHttpHeaders): boolean {
  return untrusted['sec-fetch-mode'] === 'navigate' && untrusted['sec-fetch-dest'] === 'document'
}

/** A service worker answers a navigation with a fetch of its own, which Firefox marks as one, but asks for a page. */
function isReissuedNavigation(untrusted: IncomingHttpHeaders): boolean {
  return (
    untrusted['sec-fetch-site'] === 'same-origin' &&
    untrusted.accept?.toLowerCase().includes('text/html') === true
  )
}

/** Whether a segment begins with a dot, as those of `.git` or `.env` do; `.well-known` (RFC 8615) is there to be read. */
export function isHidden(untrustedPath: string): boolean {
  return untrustedPath
    .toLowerCase()
    .replaceAll('%2e', '.')
    .split('/')
    .some((segment, index) => segment.startsWith('.') && !(index === 1 && segment === '.well-known'))
}
