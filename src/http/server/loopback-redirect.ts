import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { isNavigation } from '../answers/error-answer.ts'

const loopbackName = /^(?:localhost|(?:[a-z0-9-]+\.)+localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

function isLoopbackName(hostname: string): boolean {
  return loopbackName.test(hostname)
}

/**
 * Where to send a navigation that arrived under another name of this machine: cookies belong to one name, so a login begun under
 * `127.0.0.1` would be lost on its way back to `localhost`. `undefined`: it may stay.
 *
 * @param baseUrl on loopback; anywhere else nothing is ever redirected, because `Host` is the client's to choose
 */
export function loopbackTarget(
  baseUrl: URL,
  untrustedHost: string | undefined,
  untrustedTarget: string,
): string | undefined {
  const host = URL.parse(`http://${untrustedHost ?? ''}`)
  if (host === null || host.pathname !== '/' || host.username !== '') return undefined
  if (host.hostname === baseUrl.hostname || !isLoopbackName(host.hostname)) return undefined
  return URL.parse(`${baseUrl.origin}${untrustedTarget}`)?.href
}

/** Installs the redirect, when `BASE_URL` is on loopback. After {@link installRequestCheck}, which vouches for the target's form. */
export function installLoopbackRedirect(app: FastifyInstance, baseUrl: URL): void {
  if (!isLoopbackName(baseUrl.hostname)) return
  app.addHook(
    'onRequest',
    function useOneName(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
      const target = isPageRequest(request)
        ? loopbackTarget(baseUrl, request.headers.host, request.raw.url ?? '/')
        : undefined
      if (target === undefined) done()
      else void reply.header('cache-control', 'no-store').redirect(target, 303)
    },
  )
}

function isPageRequest(request: FastifyRequest): boolean {
  return (request.method === 'GET' || request.method === 'HEAD') && isNavigation(request.headers)
}
