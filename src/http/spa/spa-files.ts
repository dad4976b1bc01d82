import { realpathSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import { join, sep } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { isNavigation } from '../answers/error-answer.ts'
import type { NotFoundFallback } from '../answers/error-handler.ts'
import { defaultSpaCsp, htmlReferrerPolicy } from '../answers/security-headers.ts'
import { isReservedPath } from '../guards/return-to.ts'
import { queryOf } from '../server/query.ts'

/** What the settings say about the built app. */
export interface SpaFilesOptions {
  /** Absolute path of the folder with `index.html`. */
  readonly spaDir: string
  /** The path of `BASE_URL`, which the app lies beneath; `''` for none. */
  readonly basePath: string
  /** Replaces the default policy of the app's pages. */
  readonly spaCsp: string | undefined
  /** Lower-case paths that never answer with the app: proxied prefixes and our own endpoints. */
  readonly reservedPaths: readonly string[]
}

const startPage = 'index.html'

/**
 * A content hash in a file's name, as bundlers write it: a new build gives the file a new name. At least one digit and one letter tell it
 * from a word or a date; a hash that lacks either is merely revalidated.
 */
const hashedName = /[.-](?=\w*\d)(?=\w*[A-Za-z])\w{8,}\.[a-z0-9]{1,5}(?:\.map)?$/

/** Endings of files that pages load. One that is missing must fail: the start page in its place would be run as a script. */
const assetEnding =
  /\.(?:avif|bmp|cjs|css|csv|eot|gif|gz|htm|html|ico|jpe?g|js|json|map|mjs|mp[34]|ogg|otf|pdf|png|svg|ttf|txt|wasm|wav|webm|webmanifest|webp|woff2?|xml|zip)$/i

/** Endings of files that are shown as pages. */
const documentEnding = /\.x?html?$/i

/** Registers the built single-page app, on the root: everything else is matched before it. */
export async function registerSpaFiles(app: FastifyInstance, options: SpaFilesOptions): Promise<void> {
  const csp = options.spaCsp ?? defaultSpaCsp
  redirectToStart(app, options.basePath)
  await app.register(fastifyStatic, {
    root: options.spaDir,
    prefix: `${options.basePath}/`,
    index: startPage,
    cacheControl: false,
    // `allowedPath` decides: unlike this switch it can let `.well-known` pass.
    dotfiles: 'allow',
    allowedPath: (untrustedPath) => !isHidden(untrustedPath) && isWithinFolder(options.spaDir, untrustedPath),
    setHeaders: (reply, path) => {
      reply.header('cache-control', cacheControlOf(path))
      if (documentEnding.test(path)) {
        reply.headers({ 'content-security-policy': csp, 'referrer-policy': htmlReferrerPolicy })
      }
    },
  })
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
    return reply.code(200).sendFile(startPage)
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

/**
 * Whether a file lies in the folder once symbolic links are followed: those within it are how Kubernetes mounts files, while one that leads out
 * of it would publish what is there.
 */
function isWithinFolder(folder: string, untrustedPath: string): boolean {
  try {
    const file = realpathSync(join(folder, untrustedPath))
    const real = realpathSync(folder)
    return file === real || file.startsWith(real.endsWith(sep) ? real : `${real}${sep}`)
  } catch {
    // There is no such file.
    return false
  }
}

function cacheControlOf(path: string): string {
  if (path.endsWith('.html')) return 'no-cache'
  return hashedName.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache'
}
