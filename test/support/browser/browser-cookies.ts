import { type Cookie, CookieJar } from 'tough-cookie'

/** How a request relates to the site that it goes to (RFC 6265bis section 5.2). */
export type SameSiteContext = 'strict' | 'lax' | 'none'

/** The cookie side of a browser: RFC 6265bis with name prefixes, `SameSite` and no favours for loopback. */
export interface BrowserCookies {
  /** The `Cookie` header for a request, or `undefined` when no cookie goes along. */
  header(url: URL, context: SameSiteContext): string | undefined
  /** Takes what an answer wants to set. */
  store(url: URL, setCookies: readonly string[], context: SameSiteContext): void
  /** The cookies that the browser holds for a URL. */
  list(url: URL): readonly Cookie[]
  get(url: URL, name: string): string | undefined
  /** Plants a cookie as another party could, prefix rules applied. */
  plant(url: URL, setCookie: string): void
  clear(): void
  /** `Set-Cookie` values that were refused, with the reason: a test may insist that there are none. */
  readonly refused: readonly string[]
  /** Every value of a cookie that was ever stored. */
  readonly seenValues: ReadonlySet<string>
}

/** Creates an empty jar. */
export function createBrowserCookies(): BrowserCookies {
  const jar = new CookieJar(undefined, { prefixSecurity: 'strict', allowSecureOnLocal: false })
  const refused: string[] = []
  const seenValues = new Set<string>()
  const store = (url: URL, setCookie: string, context: SameSiteContext): void => {
    try {
      checkHttpPrefix(setCookie)
      const cookie = jar.setCookieSync(setCookie, url.href, { sameSiteContext: context })
      if (cookie === undefined) refused.push(`${setCookie}: unreadable`)
      else if (cookie.value !== '') seenValues.add(cookie.value)
    } catch (error) {
      refused.push(`${setCookie}: ${error instanceof Error ? error.message : 'refused'}`)
    }
  }
  return {
    header: (url, context) => jar.getCookieStringSync(url.href, { sameSiteContext: context }) || undefined,
    store: (url, setCookies, context) => {
      for (const setCookie of setCookies) store(url, setCookie, context)
    },
    list: (url) => jar.getCookiesSync(url.href),
    get: (url, name) => jar.getCookiesSync(url.href).find((cookie) => cookie.key === name)?.value,
    plant: (url, setCookie) => store(url, setCookie, 'strict'),
    clear: () => jar.removeAllCookiesSync(),
    refused,
    seenValues,
  }
}

/** `__Host-Http-` and `__Http-` cookies must be `HttpOnly`; the jar itself only knows `__Host-` and `__Secure-`. */
function checkHttpPrefix(setCookie: string): void {
  if (!/^\s*(__Host-Http-|__Http-)/i.test(setCookie)) return
  const attributes = setCookie.split(';').map((part) => part.trim().toLowerCase())
  if (!attributes.includes('httponly') || !attributes.includes('secure')) {
    throw new Error('an Http- prefix demands HttpOnly and Secure')
  }
}
