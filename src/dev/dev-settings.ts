import { randomBytes } from 'node:crypto'
import type { Environment } from '../config/environment.ts'
import { isLoopback } from '../config/settings/kinds/address.ts'
import { browserSettings } from '../config/settings/tables/browser.ts'
import { proxySettings } from '../config/settings/tables/proxy.ts'

/** What the command line of `coatcheck dev` says. */
export interface DevOptions {
  /** Where the API listens; replaces `API_URL`. */
  readonly apiUrl?: string | undefined
  /** The app's development server; replaces `SPA_URL`. */
  readonly spaUrl?: string | undefined
  /** The port of the gateway; replaces that of `BASE_URL`. */
  readonly port?: number | undefined
}

const defaults = {
  API_AUDIENCE: 'https://api.example.com',
  API_URL: 'http://localhost:8080',
  BASE_URL: 'http://localhost:3000',
  LOG_FORMAT: 'pretty',
  LOG_LEVEL: 'warn',
  SCOPE: 'openid profile email offline_access',
}

/** Settings that say something of the app: those of the real provider, of Redis and of the process belong elsewhere. */
const kept: ReadonlySet<string> = new Set([
  ...Object.keys(proxySettings.rows),
  ...Object.keys(browserSettings.rows),
  'API_AUDIENCE',
  'API_URL',
  'BASE_URL',
  'SCOPE',
  'USER_CLAIMS',
  'LOGIN_PARAMETERS',
  'SESSION_IDLE_TIMEOUT',
  'SESSION_MAX_LIFETIME',
  'LOG_LEVEL',
  'LOG_FORMAT',
])

/** The test provider, as a gateway knows it. */
export interface DevClient {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
}

/**
 * The settings of a gateway before a test provider: what `.env` says of the app, and defaults for what it does not.
 *
 * @param env the environment, `.env` included
 */
export function devSettings(env: Environment, options: DevOptions, client: DevClient): Environment {
  const given = Object.fromEntries(Object.entries(env).filter(([name]) => kept.has(name) && env[name]))
  const asked: Environment = {
    ...defaults,
    ...given,
    ...(options.apiUrl === undefined ? {} : { API_URL: options.apiUrl, ROUTES_FILE: undefined }),
    ...(options.spaUrl === undefined ? {} : { SPA_URL: options.spaUrl, SPA_DIR: undefined }),
  }
  const baseUrl = loopbackUrl(asked.BASE_URL, options.port)
  return {
    ...asked,
    ...(asked.ROUTES_FILE === undefined ? {} : { API_URL: undefined }),
    ...(asked.SPA_URL === undefined && asked.SPA_DIR === undefined
      ? { SPA_URL: 'http://localhost:5173' }
      : {}),
    BASE_URL: baseUrl.origin,
    PORT: baseUrl.port,
    ISSUER_URL: client.issuer,
    CLIENT_ID: client.clientId,
    CLIENT_SECRET: client.clientSecret,
    SESSION_SECRET: randomBytes(32).toString('base64url'),
  }
}

/** `BASE_URL` when it is one of this machine: the one of production is no help here. */
function loopbackUrl(untrusted: string | undefined, port: number | undefined): URL {
  const url = URL.canParse(untrusted ?? '') ? new URL(untrusted ?? '') : new URL(defaults.BASE_URL)
  const base = url.protocol === 'http:' && isLoopback(url) ? url : new URL(defaults.BASE_URL)
  if (port !== undefined) base.port = String(port)
  if (base.port === '') base.port = '3000'
  return base
}
