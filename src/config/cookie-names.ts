import { isLoopback } from './settings/kinds/address.ts'

/** What a frontend's cookies are named by. */
export interface CookieNaming {
  /** `BASE_URL`. */
  readonly baseUrl: URL
  /** `COOKIE_NAME`. */
  readonly cookieName: string | undefined
}

/** The kinds of transactions; each cookie of one is named `<word>-<kind>-<part of its state>`. */
export const transactionKinds = ['login', 'logout'] as const

/** Which cookies are the gateway's own: such a one never reaches an API, and no API may set it. */
export interface GatewayCookieNames {
  /** Under any prefix and in any case. */
  has(untrustedCookieName: string): boolean
  /** Those of a frontend that has come later. None is ever forgotten: browsers keep the cookies of frontends that are gone. */
  add(word: string): void
}

const defaultWord = 'coatcheck'
const defaultPorts: ReadonlySet<string> = new Set(['', '80', '443'])

/** What a prefix of browsers promises: `__Host-Http-` is ours, `__Host-` that of the cookie that is bound to a device. */
const browserPrefix = /^__(?:host-http-|host-|http-|secure-)/

/** Whichever gateway they belong to, ours or another under the same host name. */
const usualWord = /^coatcheck(?:-\d{1,5})?$/

/** Whether a word has what is put behind it in the names of transactions and of the device's cookie. */
export function hasReservedEnding(word: string): boolean {
  return /-log(?:in|out)-|-device$/i.test(word)
}

/**
 * The word that all cookies of a frontend share: `COOKIE_NAME`, else `coatcheck`; with the frontend's name where there are several, else on
 * loopback with the port, because browsers do not tell the ports of one host apart. `COOKIE_NAME` in the frontends file is the whole word;
 * its reader says so by leaving the name out.
 */
export function cookieWordOf({ baseUrl, cookieName }: CookieNaming, frontend?: string): string {
  if (frontend !== undefined) return `${cookieName ?? defaultWord}-${frontend}`
  if (cookieName !== undefined) return cookieName
  return isLoopback(baseUrl) && !defaultPorts.has(baseUrl.port)
    ? `${defaultWord}-${baseUrl.port}`
    : defaultWord
}

/** Knows the cookies of gateways whose words are these, and those of every gateway that has none of its own. */
export function gatewayCookieNames(words: Iterable<string>): GatewayCookieNames {
  const known = new Set([...words].map((word) => word.toLowerCase()))
  return {
    add: (word) => void known.add(word.toLowerCase()),
    has(untrustedCookieName) {
      return wordsOf(untrustedCookieName.toLowerCase()).some(
        (word) => usualWord.test(word) || known.has(word),
      )
    },
  }
}

/** All that may be the word: one that ends in `-login` stands before another `-login-`. */
function wordsOf(lowerCaseName: string): readonly string[] {
  const name = lowerCaseName.replace(browserPrefix, '')
  const ends = [...name.matchAll(/-log(?:in|out)(?=-)/g)].map(({ index }) => name.slice(0, index))
  return [name, name.replace(/-device$/, ''), ...ends]
}
