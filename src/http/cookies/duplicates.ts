import type { GatewayErrorOptions } from '../../errors/gateway-error.ts'

/** Who can plant a second cookie of our name where a browser does not keep to its prefix, as WebKitGTK's cookie jar. */
const likelyOrigin = 'another host of this domain, or another port of this host'

/**
 * Why a request has no session although its browser holds a cookie of our name: it holds two. Which one is ours nobody can tell, and a new
 * login does not help, because the planted one stays.
 *
 * @param name the cookie's name
 * @returns what to add to the error; nothing where the name is not there twice
 */
export function explainDuplicate(untrustedHeader: string | undefined, name: string): GatewayErrorOptions {
  if (!isTwiceIn(untrustedHeader ?? '', name)) return {}
  return {
    detail: `Your browser sends two cookies named ${name}, and one of them is not ours: ${likelyOrigin} has probably set it. Delete the cookies of this site and of its sibling hosts, then sign in again.`,
    context: { duplicateCookie: name, likelyOrigin },
  }
}

function isTwiceIn(untrustedHeader: string, name: string): boolean {
  const names = untrustedHeader.split(';').map((pair) => pair.slice(0, Math.max(0, pair.indexOf('='))).trim())
  return names.indexOf(name) !== names.lastIndexOf(name)
}
