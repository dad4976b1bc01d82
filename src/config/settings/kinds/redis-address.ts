import { type Parser, ValueFault } from '../setting.ts'
import { decodeEscapes, parseUrl } from './address.ts'

/** `unix://`, optionally user and password, the absolute path of the socket, optionally `?db=` and a database number. */
const unixSocket = /^unix:\/\/(?:([^:@/]*)(?::([^@/]*))?@)?(\/[^?#]+)(?:\?db=(\d{1,4}))?$/

/** Where a Redis URL leads, decoded. */
export interface RedisPlace {
  /** Either a socket of this machine or host and port. */
  readonly socketPath: string | undefined
  readonly host: string
  readonly port: number
  readonly database: number
  /** Empty when there is none, like `password`. */
  readonly username: string
  readonly password: string
  readonly isTls: boolean
}

/**
 * Takes a Redis URL apart.
 *
 * @throws ValueFault when the text is none
 */
export function readRedisUrl(untrusted: string): RedisPlace {
  if (untrusted.startsWith('unix:')) return readUnixUrl(untrusted)
  const url = parseUrl(untrusted, ['redis:', 'rediss:', 'unix:'])
  if (url.hostname === '') throw new ValueFault('names no host')
  if (!/^(\/\d{0,4})?$/.test(url.pathname)) throw new ValueFault('must end in a database number or nothing')
  if (url.search !== '' || url.hash !== '') throw new ValueFault('must not have a query or fragment')
  return {
    socketPath: undefined,
    // IPv6 addresses stand in brackets in a URL and without them in a socket address.
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || 6_379),
    database: Number(url.pathname.slice(1) || 0),
    username: decodeEscapes(url.username),
    password: decodeEscapes(url.password),
    isTls: url.protocol === 'rediss:',
  }
}

function readUnixUrl(untrusted: string): RedisPlace {
  const [, username = '', password = '', path, database] = unixSocket.exec(untrusted) ?? []
  if (path === undefined) {
    throw new ValueFault(
      'must name a socket by its absolute path: unix:///run/redis.sock, with ?db= or nothing',
    )
  }
  return {
    socketPath: decodeEscapes(path),
    host: '',
    port: 0,
    database: Number(database ?? 0),
    username: decodeEscapes(username),
    password: decodeEscapes(password),
    isTls: false,
  }
}

/** `redis://`, `rediss://` or `unix://`, optionally with user, password and database number. */
export const redisUrl: Parser<string> = (untrusted) => {
  readRedisUrl(untrusted)
  return untrusted
}

/** A Redis URL without what opens it. Only for text that {@link redisUrl} accepts: in other text a password may stand anywhere. */
export function maskRedisUrl(url: string): string {
  return url.replace(/^([a-z]+:\/\/)[^/]*@/, '$1********@')
}
