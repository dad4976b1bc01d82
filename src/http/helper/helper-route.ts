import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from '../../telemetry/telemetry.ts'
import { expectSmallBody } from '../lifetime/body.ts'
import { readBrowserHelper } from './helper-source.ts'

/** The helper, ready to be sent: by content coding (RFC 9110 section 8.4), the better ones first. */
interface Helper {
  readonly etag: string
  readonly bodies: readonly (readonly [coding: string, body: Buffer])[]
}

/** Where the helper is served beside an app. */
export interface HelperPlace {
  readonly spaDir: string | undefined
  /** The path of `BASE_URL`, beneath which the app's files lie; `''` for none. */
  readonly basePath: string
  readonly log: Logger
}

/**
 * Registers `GET <AUTH_PREFIX>/client.js`: the browser helper as one ES module, for pages without a bundler. Its validator is a hash of
 * the content, so a browser that has it is answered 304. A file of the app at this address was there before us and stays.
 */
export function registerHelperRoute(
  app: FastifyInstance,
  path: string,
  { spaDir, basePath, log }: HelperPlace,
): void {
  if (isTakenByApp(path.slice(basePath.length), spaDir, log)) return
  let helper: Helper | undefined
  app.route({
    method: ['GET', 'HEAD'],
    url: path,
    preParsing: expectSmallBody,
    handler: (request, reply) => {
      // Made when first asked for: most apps bundle their own.
      helper ??= makeHelper()
      return answer(helper, request, reply)
    },
  })
}

function isTakenByApp(path: string, spaDir: string | undefined, log: Logger): boolean {
  if (spaDir === undefined || !existsSync(join(spaDir, path))) return false
  log.warn(
    { path },
    'the app has a file at the address of the browser helper, which is therefore not served; AUTH_PREFIX moves it',
  )
  return true
}

function makeHelper(): Helper {
  const text = Buffer.from(readBrowserHelper())
  return {
    etag: `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`,
    bodies: [
      ['br', brotliCompressSync(text)],
      ['gzip', gzipSync(text)],
      ['identity', text],
    ],
  }
}

function answer({ etag, bodies }: Helper, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const accepted = request.headers['accept-encoding'] ?? ''
  const [coding, body] = bodies.find(([name]) => accepts(accepted, name)) ?? bodies[2] ?? []
  reply.headers({ etag, 'cache-control': 'no-cache', vary: 'accept-encoding' })
  if (request.headers['if-none-match']?.includes(etag)) return reply.code(304).send()
  if (coding !== 'identity') reply.header('content-encoding', coding)
  return reply.type('text/javascript; charset=utf-8').send(body)
}

/** RFC 9110 section 12.5.3, without preferences: what is named and not refused will do. */
function accepts(header: string, coding: string): boolean {
  return header.split(',').some((part) => {
    const [name = '', ...parameters] = part.split(';').map((word) => word.trim().toLowerCase())
    return name === coding && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))
  })
}
