import { ReadStream } from 'node:fs'
import { relative, sep } from 'node:path'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { NotFoundFallback } from '../answers/error-handler.ts'
import { defaultSpaCsp, type HeaderFields, htmlReferrerPolicy } from '../answers/security-headers.ts'
import { queryOf } from '../server/query.ts'
import { type AppAddresses, filePath, isHidden, isOfApp, isPageWanted } from './app-addresses.ts'
import { settleConditions, settleRange } from './conditions.ts'
import { isImmutable, usualBuildFolders } from './immutable-name.ts'
import { KnownFiles } from './known-files.ts'

/** What the settings say about the built app. */
export interface SpaFilesOptions extends AppAddresses {
  /** Absolute path of the folder with `index.html`. */
  readonly spaDir: string
  /** Replaces the default policy of the app's pages. */
  readonly spaCsp: string | undefined
  /** Folders whose files may be kept for ever when their names hold a hash; `undefined`: those that bundlers use. */
  readonly spaImmutable: readonly string[] | undefined
  /** Whether browsers may keep a page as it was when it was left, with all that it shows, and restore it on Back. */
  readonly spaBackForwardCache: boolean
}

const startPage = 'index.html'
const revalidated = 'no-cache'
const neverKept = 'no-cache, no-store'
const keptForEver = 'public, max-age=31536000, immutable'

/** Endings of files that are shown as pages. */
const documentEnding = /\.x?html?$/i

/** Compressed forms that lie beside their originals. */
const compressedEnding = /\.(?:br|gz|deflate)$/

/** The built single-page app. */
export interface Spa {
  /** Answers an address that nothing else answered with the app, whose router knows it. For `installErrorHandling`. */
  readonly showApp: NotFoundFallback
  /** Registers the files, on the root: everything else is matched before them. */
  register(app: FastifyInstance): Promise<void>
}

/** Makes the app of its folder. */
export function createSpa(options: SpaFilesOptions): Spa {
  const { spaDir, basePath } = options
  const files = new KnownFiles(spaDir)
  return {
    async showApp(request, reply) {
      const page = isOfApp(request, options) ? await pageAt(request, basePath, files) : undefined
      if (page !== undefined) sendFile(reply.code(200), page, files)
      return page !== undefined
    },
    async register(app) {
      redirectToStart(app, basePath)
      refuseWrites(app, basePath, files)
      serveFiles(app, basePath, files)
      cutShortAnswers(app)
      // Loaded where there are files to serve, and nowhere else.
      await app.register(import('@fastify/static'), {
        root: spaDir,
        // The library's own route would judge a file without knowing the request.
        serve: false,
        // A list: with a mere name the library finds no page of a folder.
        index: [startPage],
        cacheControl: false,
        // Dates of files say nothing: reproducible builds have one for all.
        lastModified: false,
        preCompressed: true,
        // `allowedPath` decides: unlike this switch it can let `.well-known` pass.
        dotfiles: 'allow',
        allowedPath: (untrustedPath) => !isHidden(untrustedPath),
        setHeaders: (reply, path) => {
          reply.headers(headersOf(path.replace(compressedEnding, ''), options))
        },
      })
    },
  }
}

function serveFiles(app: FastifyInstance, basePath: string, files: KnownFiles): void {
  app.route({
    method: ['GET', 'HEAD'],
    url: `${basePath}/*`,
    handler(request, reply) {
      const path = filePath(request, basePath)
      if (path === undefined) reply.callNotFound()
      else sendFile(reply, path, files)
    },
    errorHandler(error, request, reply) {
      if (error.code === 'ERR_STREAM_PREMATURE_CLOSE') request.raw.destroy()
      // A new build has taken the file away since it was looked at.
      else if (error.code === 'ENOENT') app.errorHandler(new GatewayError('not_found'), request, reply)
      else app.errorHandler(error, request, reply)
    },
  })
}

/** Sends a file of the app, if there is one, as the request's conditions demand. */
function sendFile(reply: FastifyReply, untrustedPath: string, files: KnownFiles): void {
  const { headers, method } = reply.request
  settleConditions(headers, method)
  void reply.sendFile(untrustedPath, {
    async onFile(path, found) {
      if (!(await files.isWithin(path, found))) throw new GatewayError('not_found')
      // The library makes its validator of size and date: so it is made of size and content.
      found.mtime = new Date(await files.fingerprint(path, found))
      settleRange(headers, found.size)
    },
  })
}

/** A file that is written anew while it is sent may come to an end too early: that must not look whole, nor take the next answer for its rest. */
function cutShortAnswers(app: FastifyInstance): void {
  app.addHook('onSend', function watchLength(request, reply, payload, done): void {
    if (payload instanceof ReadStream)
      payload.once('end', () => {
        if (payload.bytesRead < Number(reply.getHeader('content-length'))) request.raw.destroy()
      })
    done()
  })
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

/** A file is there to be read: another method is refused as such, where it would be unknown at an address without a file. */
function refuseWrites(app: FastifyInstance, basePath: string, files: KnownFiles): void {
  app.route({
    method: ['POST', 'PUT', 'PATCH', 'DELETE'],
    url: `${basePath}/*`,
    async onRequest(request) {
      const untrustedPath = (request.params as { readonly '*': string })['*']
      const isThere =
        !isHidden(`/${untrustedPath}`) &&
        (await files.isFile(untrustedPath === '' ? startPage : untrustedPath))
      if (isThere) throw new GatewayError('method_not_allowed', { headers: { allow: 'GET, HEAD' } })
      throw new GatewayError('not_found')
    },
    handler: () => undefined,
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

/**
 * The page for an address of the app: a file of that name, as exports of Next.js, Astro and SvelteKit have one for each address (their routers fetch
 * it as well), or else, for whoever wants a page, the start page, whose router knows the address. `undefined` where there is neither: a new build is
 * just being written, say.
 */
async function pageAt(
  request: FastifyRequest,
  basePath: string,
  files: KnownFiles,
): Promise<string | undefined> {
  const path = filePath(request, basePath)?.replace(/\/$/, '') ?? ''
  const page = `${path}.html`
  if (path !== '' && (await files.isFile(page))) return page
  return isPageWanted(request) && (await files.isFile(startPage)) ? startPage : undefined
}
