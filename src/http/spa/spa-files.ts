import type { Stats } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { IncomingHttpHeaders } from 'node:http'
import { join, relative, sep } from 'node:path'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { GatewayError } from '../../errors/gateway-error.ts'
import { isNavigation } from '../answers/error-answer.ts'
import type { NotFoundFallback } from '../answers/error-handler.ts'
import { defaultSpaCsp, type HeaderFields, htmlReferrerPolicy } from '../answers/security-headers.ts'
import { isReservedPath } from '../guards/return-to.ts'
import { queryOf } from '../server/query.ts'
import { settleConditions } from './conditions.ts'
import { isImmutable, usualBuildFolders } from './immutable-name.ts'
import { KnownFiles } from './known-files.ts'

/** What the settings say about the built app. */
export interface SpaFilesOptions {
  /** Absolute path of the folder with `index.html`. */
  readonly spaDir: string
  /** The path of `BASE_URL`, which the app lies beneath; `''` for none. */
  readonly basePath: string
  /** Replaces the default policy of the app's pages. */
  readonly spaCsp: string | undefined
  /** Folders whose files may be kept for ever when their names hold a hash; `undefined`: those that bundlers use. */
  readonly spaImmutable: readonly string[] | undefined
  /** Whether browsers may keep a page as it was when it was left, with all that it shows, and restore it on Back. */
  readonly spaBackForwardCache: boolean
  /** Lower-case paths that never answer with the app: proxied prefixes and our own endpoints. */
  readonly reservedPaths: readonly string[]
}

const startPage = 'index.html'
const revalidated = 'no-cache'
const neverKept = 'no-cache, no-store'
const keptForEver = 'public, max-age=31536000, immutable'

/** Endings of files that pages load. One that is missing must fail: the start page in its place would be run as a script. */
const assetEnding =
  /\.(?:avif|bmp|cjs|css|csv|eot|gif|gz|htm|html|ico|jpe?g|js|json|map|mjs|mp[34]|ogg|otf|pdf|png|svg|ttf|txt|wasm|wav|webm|webmanifest|webp|woff2?|xml|zip)$/i

/** Endings of files that are shown as pages. */
const documentEnding = /\.x?html?$/i

/** Compressed forms that lie beside their originals. */
const compressedEnding = /\.(?:br|gz|deflate)$/

/** Registers the built single-page app, on the root: everything else is matched before it. */
export async function registerSpaFiles(app: FastifyInstance, options: SpaFilesOptions): Promise<void> {
  const known = new KnownFiles(options.spaDir)
  redirectToStart(app, options.basePath)
  refuseWrites(app, options, known)
  settleConditionsOfFiles(app, options)
  // Loaded where there are files to serve, and nowhere else.
  await app.register(import('@fastify/static'), {
    root: options.spaDir,
    prefix: `${options.basePath}/`,
    index: startPage,
    cacheControl: false,
    // Dates of files say nothing: reproducible builds have one for all.
    lastModified: false,
    preCompressed: true,
    // `allowedPath` decides: unlike this switch it can let `.well-known` pass.
    dotfiles: 'allow',
    allowedPath: (untrustedPath) => !isHidden(untrustedPath),
    onFile: (path, found) => judgeFile(known, path, found),
    setHeaders: (reply, path) => {
      reply.headers(headersOf(path.replace(compressedEnding, ''), options))
    },
  })
}

/** Refuses what lies outside of the folder, and lets the library make its validator, of size and date, from size and content. */
async function judgeFile(known: KnownFiles, path: string, found: Stats): Promise<void> {
  if (!(await known.isWithin(path, found))) throw new GatewayError('not_found')
  found.mtime = new Date(await known.fingerprint(path, found))
}

function headersOf(path: string, options: SpaFilesOptions): HeaderFields {
  const { spaDir, spaCsp, spaImmutable, spaBackForwardCache } = options
  const file = relative(spaDir, path).replaceAll(sep, '/')
  if (documentEnding.test(file)) {
    return {
      'cache-control': spaBackForwardCache ? revalidated : neverKept,
      'content-security-policy': spaCsp ?? defaultSpaCsp,
      'referrer-policy': htmlReferrerPolicy,
    }
  }
  return {
    'cache-control': isImmutable(file, spaImmutable ?? usualBuildFolders) ? keptForEver : revalidated,
  }
}

/** The library registers the route of the files by itself, so its hook is hung in while it does. */
function settleConditionsOfFiles(app: FastifyInstance, { basePath }: SpaFilesOptions): void {
  app.addHook('onRoute', (route) => {
    if (route.url !== `${basePath}/*`) return
    route.onRequest = (request, reply, done) => {
      if (!settleConditions(request, reply)) done()
    }
  })
}

/** A file is there to be read: another method is refused as such, where it would be unknown at an address without a file. */
function refuseWrites(app: FastifyInstance, { spaDir, basePath }: SpaFilesOptions, known: KnownFiles): void {
  app.route({
    method: ['POST', 'PUT', 'PATCH', 'DELETE'],
    url: `${basePath}/*`,
    async onRequest(request) {
      const untrustedPath = (request.params as { readonly '*': string })['*']
      const isThere = !isHidden(`/${untrustedPath}`) && (await isFile(spaDir, untrustedPath, known))
      if (isThere) throw new GatewayError('method_not_allowed', { headers: { allow: 'GET, HEAD' } })
      throw new GatewayError('not_found')
    },
    handler: () => undefined,
  })
}

async function isFile(folder: string, untrustedPath: string, known: KnownFiles): Promise<boolean> {
  const path = join(folder, untrustedPath === '' ? startPage : untrustedPath)
  if (untrustedPath.includes('\0') || relative(folder, path).startsWith('..')) return false
  return stat(path).then(
    (found) => found.isFile() && known.isWithin(path, found),
    () => false,
  )
}

/** Leads from the bare path of `BASE_URL` to the start page, whose relative addresses begin at a slash. */
function redirectToStart(app: FastifyInstance, basePath: string): void {
  if (basePath === '') return
  app.route({
    method: ['GET', 'HEAD'],
    url: basePath,
    handler(request, reply) {
      const query = queryOf(request.raw.url ?? '')
      return reply.redirect(`${basePath}/${query === '' ? '' : `?${query}`}`, 303)
    },
  })
}

/** The rule by which an address that nothing answered shows the app, whose router knows it. For `installErrorHandling`. */
export function createSpaFallback(
  options: Pick<SpaFilesOptions, 'reservedPaths' | 'basePath'>,
): NotFoundFallback {
  return function showApp(request: FastifyRequest, reply: FastifyReply): FastifyReply | undefined {
    if (!isClientRoute(request, options)) return undefined
    return settleConditions(request, reply) ? reply : reply.code(200).sendFile(startPage)
  }
}

function isClientRoute(
  request: FastifyRequest,
  { basePath, reservedPaths }: Pick<SpaFilesOptions, 'reservedPaths' | 'basePath'>,
): boolean {
  if (request.method !== 'GET' && request.method !== 'HEAD') return false
  if (!isNavigation(request.headers) && !isReissuedNavigation(request.headers)) return false
  const untrustedPath = (request.raw.url ?? '').split('?', 1)[0] ?? ''
  return (
    untrustedPath.startsWith(`${basePath}/`) &&
    !isReservedPath(untrustedPath, reservedPaths) &&
    !isHidden(untrustedPath.slice(basePath.length)) &&
    (isPageLoad(request.headers) || !assetEnding.test(untrustedPath))
  )
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
function isHidden(untrustedPath: string): boolean {
  return untrustedPath
    .toLowerCase()
    .replaceAll('%2e', '.')
    .split('/')
    .some((segment, index) => segment.startsWith('.') && !(index === 1 && segment === '.well-known'))
}
