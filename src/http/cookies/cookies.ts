import {
  type GatewayCookieNames,
  gatewayCookieNames,
  type transactionKinds,
} from '../../config/cookie-names.ts'
import type { GatewayErrorOptions } from '../../errors/gateway-error.ts'
import { explainDuplicate } from './duplicates.ts'

/** What the settings say about cookies. */
export interface CookieOptions {
  /** What every name begins with, behind the prefix of browsers. */
  readonly cookieWord: string
  /** Decides scheme and prefix; nothing of a request does. */
  readonly baseUrl: URL
  readonly sessionCookiePersistent: boolean
  /** Absolute lifetime of a session, seconds: the `Max-Age` of a persistent session cookie. */
  readonly sessionMaxLifetime: number
}

/** A login or logout that is under way, each in a cookie of its own. */
export type TransactionKind = (typeof transactionKinds)[number]

/** A transaction cookie as a browser sent it. */
export interface TransactionCookie {
  readonly name: string
  readonly untrustedValue: string
}

/**
 * The gateway's cookies (DESIGN section 2.2). Setting and clearing write the same attributes, because browsers ignore the clearing of a
 * prefixed cookie that lacks one of them (RFC 6265bis section 4.1.3).
 */
export interface Cookies {
  readonly sessionName: string
  /** Whether a cookie is a gateway's own, under any of its names; see {@link GatewayCookieNames}. */
  isGatewayCookie(untrustedName: string): boolean
  /** `Set-Cookie` that hands out a session. */
  setSession(id: string): string
  /** `Set-Cookie` that takes the session cookie away. */
  clearSession(): string
  /** The well-formed session id of a `Cookie` header; `undefined` when absent, malformed or there twice. */
  readSession(untrustedHeader: string | undefined): string | undefined
  /** What to say where {@link readSession} found nothing: see {@link explainDuplicate}. */
  explainMissing(untrustedHeader: string | undefined): GatewayErrorOptions
  /** The cookie that is bound to the device (DESIGN-2 section 9): its name, and its attributes as a browser is told them. */
  readonly device: { readonly name: string; readonly attributes: string }
  setDevice(value: string, maxAgeSeconds: number): string
  clearDevice(): string
  /** The value of the device's cookie; `undefined` when it is absent or there twice. */
  readDevice(untrustedHeader: string | undefined): string | undefined
  /** The name of the cookie of one transaction, by its `state`. */
  transactionName(kind: TransactionKind, state: string): string
  setTransaction(name: string, sealed: string): string
  clearTransaction(name: string): string
  /** All transaction cookies of a kind; one that is there twice appears once, with an empty value, which nothing opens. */
  readTransactions(kind: TransactionKind, untrustedHeader: string | undefined): readonly TransactionCookie[]
}

/** How long a login or logout may take, seconds. */
export const transactionMaxAgeSeconds = 600

/** Characters of `state` in the name of its cookie: enough that logins in several tabs never share one. */
const stateCharactersInName = 8

const sessionIdPattern = /^[A-Za-z0-9_-]{43}$/
/** Browsers accept the prefix only with Secure and HttpOnly, from this very host, for all its paths. */
const securePrefix = '__Host-Http-'
/** Browsers do not bind a cookie of the other prefix to a device. */
const deviceSecurePrefix = '__Host-'

/**
 * Creates the cookies' rules for one frontend.
 *
 * @param ownNames the cookies of every gateway in this process
 */
export function createCookies(
  options: CookieOptions,
  ownNames: GatewayCookieNames = gatewayCookieNames([options.cookieWord]),
): Cookies {
  const isSecure = options.baseUrl.protocol === 'https:'
  const sessionName = `${isSecure ? securePrefix : ''}${options.cookieWord}`
  const common = `Path=/; HttpOnly${isSecure ? '; Secure' : ''}`
  const session = `${common}; SameSite=Strict`
  // The callback is a cross-site navigation, which carries Lax cookies but not Strict ones.
  const transaction = `${common}; SameSite=Lax`
  const lifetime = options.sessionCookiePersistent ? `; Max-Age=${options.sessionMaxLifetime}` : ''
  const deviceName = `${isSecure ? deviceSecurePrefix : ''}${options.cookieWord}-device`
  const prefixOf = (kind: TransactionKind) => `${sessionName}-${kind}-`
  return {
    sessionName,
    isGatewayCookie: ownNames.has,
    setSession: (id) => `${sessionName}=${id}; ${session}${lifetime}`,
    clearSession: () => `${sessionName}=; ${session}; ${cleared}`,
    readSession: (untrustedHeader) => readSessionId(untrustedHeader, sessionName),
    explainMissing: (untrustedHeader) => explainDuplicate(untrustedHeader, sessionName),
    device: { name: deviceName, attributes: session },
    setDevice: (value, maxAgeSeconds) => `${deviceName}=${value}; ${session}; Max-Age=${maxAgeSeconds}`,
    clearDevice: () => `${deviceName}=; ${session}; ${cleared}`,
    readDevice: (untrustedHeader) => readOnly(untrustedHeader, deviceName),
    transactionName: (kind, state) => `${prefixOf(kind)}${state.slice(0, stateCharactersInName)}`,
    setTransaction: (name, sealed) =>
      `${name}=${sealed}; ${transaction}; Max-Age=${transactionMaxAgeSeconds}`,
    clearTransaction: (name) => `${name}=; ${transaction}; ${cleared}`,
    readTransactions: (kind, untrustedHeader) => readTransactionCookies(untrustedHeader, prefixOf(kind)),
  }
}

const cleared = 'Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT'

function readSessionId(untrustedHeader: string | undefined, name: string): string | undefined {
  const value = readOnly(untrustedHeader, name)
  return value !== undefined && sessionIdPattern.test(value) ? value : undefined
}

/** The value of a cookie that is there once. Signed-in requests pay for this, so it looks only at what bears the name and copies only that. */
function readOnly(untrustedHeader: string | undefined, name: string): string | undefined {
  if (untrustedHeader === undefined) return undefined
  let value: string | undefined
  for (
    let at = untrustedHeader.indexOf(name);
    at !== -1;
    at = untrustedHeader.indexOf(name, at + name.length)
  ) {
    if (!isNamedHere(untrustedHeader, at, name.length)) continue
    // Which of two came from us nobody can tell: a sibling domain or another port may have planted one.
    if (value !== undefined) return undefined
    const valueAt = at + name.length + 1
    const end = untrustedHeader.indexOf(';', valueAt)
    value = untrustedHeader.slice(valueAt, end === -1 ? undefined : end)
  }
  return value
}

const [semicolon, blank, tab, equals] = [0x3b, 0x20, 0x09, 0x3d]

/** Whether the text at `at` is the name of a cookie: at the start of a pair and followed by `=`, blanks aside. */
function isNamedHere(header: string, at: number, nameLength: number): boolean {
  let before = at - 1
  while (before >= 0 && isBlank(header.charCodeAt(before))) before--
  if (before >= 0 && header.charCodeAt(before) !== semicolon) return false
  let after = at + nameLength
  while (isBlank(header.charCodeAt(after))) after++
  return header.charCodeAt(after) === equals
}

function isBlank(code: number): boolean {
  return code === blank || code === tab
}

const transactionSuffix = /^[A-Za-z0-9_-]{8}$/

function readTransactionCookies(
  untrustedHeader: string | undefined,
  prefix: string,
): readonly TransactionCookie[] {
  const values = new Map<string, string>()
  for (const untrustedPair of untrustedHeader?.split(';') ?? []) {
    const equalsAt = untrustedPair.indexOf('=')
    const name = untrustedPair.slice(0, Math.max(0, equalsAt)).trim()
    if (!name.startsWith(prefix) || !transactionSuffix.test(name.slice(prefix.length))) continue
    values.set(name, values.has(name) ? '' : untrustedPair.slice(equalsAt + 1).trim())
  }
  return [...values].map(([name, untrustedValue]) => ({ name, untrustedValue }))
}
