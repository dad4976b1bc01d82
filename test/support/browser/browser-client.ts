import type { IncomingMessage } from 'node:http'
import { type Address, type Answer, exchange, openExchange } from '../exchange.ts'
import { type BrowserCookies, createBrowserCookies, type SameSiteContext } from './browser-cookies.ts'
import { fetchSite, sameSiteContext } from './same-site.ts'

/** What a browser double is made with. */
export interface BrowserOptions {
  /** `BASE_URL` of the application: base of relative addresses, and what paths are beneath. */
  readonly baseUrl: URL
  /**
   * Where an origin is really served; `undefined`: at its own address. It lets several gateways answer for one origin, and a plain
   * gateway for an `https` one, as behind a load balancer that ends TLS.
   */
  readonly route?: (url: URL) => Address | undefined
  readonly userAgent?: string
}

/** How a navigation is made. */
export interface NavigateOptions {
  /** Stop before this address is requested; {@link Tab.resume} goes on. */
  readonly stopBefore?: (url: URL) => boolean
  readonly headers?: Readonly<Record<string, string>>
}

/** How a script of the open page fetches. */
export interface FetchOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal?: AbortSignal
}

/** Where a navigation ended. */
export interface Landing {
  /** The address bar: the last page, or the address that was not requested. */
  readonly url: URL
  /** The last answer. */
  readonly answer: Answer
  /** Every answer of the way, redirects included. */
  readonly hops: readonly Answer[]
  /** Set when the navigation was stopped. */
  readonly pending: Navigation | undefined
}

/** A navigation under way. */
export interface Navigation {
  readonly method: string
  readonly chain: readonly URL[]
  /** Origin of the page that began it; `undefined`: the user typed the address. */
  readonly initiator: string | undefined
  readonly body: string | undefined
  readonly hops: readonly Answer[]
}

/** One tab: an open page and what can be done from it. */
export interface Tab {
  readonly url: URL | undefined
  /** The user types an address. */
  open(address: string, options?: NavigateOptions): Promise<Landing>
  /** The open page navigates: a link, or `location.href`. */
  follow(address: string, options?: NavigateOptions): Promise<Landing>
  /** The open page posts a form. */
  submit(
    address: string,
    fields: Readonly<Record<string, string>>,
    options?: NavigateOptions,
  ): Promise<Landing>
  resume(navigation: Navigation, options?: NavigateOptions): Promise<Landing>
  /** A script of the open page fetches, with the default `credentials: 'same-origin'`; redirects are not followed. */
  fetch(address: string, options?: FetchOptions): Promise<Answer>
  /** Like {@link fetch}, but resolves at the head of the answer. */
  stream(address: string, options?: FetchOptions): Promise<IncomingMessage>
}

/** A browser: one cookie jar, any number of tabs, and a memory of all that it ever received. */
export interface Browser {
  readonly cookies: BrowserCookies
  readonly history: readonly Answer[]
  tab(): Tab
}

/** A browser never follows more than this in one navigation. */
const maxRedirects = 20

/** Creates a browser double with an empty jar. */
export function createBrowser(options: BrowserOptions): Browser {
  const cookies = createBrowserCookies()
  const history: Answer[] = []
  const userAgent =
    options.userAgent ?? 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0'
  const send = async (
    method: string,
    url: URL,
    context: SameSiteContext | undefined,
    headers: Readonly<Record<string, string>>,
    rest: Pick<FetchOptions, 'body' | 'signal'>,
  ): Promise<Answer> => {
    const cookie = context === undefined ? undefined : cookies.header(url, context)
    const answer = await exchange({
      method,
      url,
      headers: { 'user-agent': userAgent, ...headers, ...(cookie === undefined ? {} : { cookie }) },
      address: options.route?.(url),
      body: rest.body,
      signal: rest.signal,
    })
    history.push(answer)
    if (context !== undefined) cookies.store(url, answer.setCookies, context)
    return answer
  }

  const navigate = async (navigation: Navigation, how: NavigateOptions): Promise<Landing> => {
    const url = navigation.chain.at(-1)
    if (url === undefined) throw new Error('a navigation needs an address')
    const headers = { ...navigationHeaders(navigation, url), ...how.headers }
    const context = sameSiteContext(navigation.chain, navigation.initiator, navigation.method)
    const answer = await send(navigation.method, url, context, headers, bodyOf(navigation))
    const hops = [...navigation.hops, answer]
    const next = redirected(navigation, answer, hops)
    if (next === undefined) return { url, answer, hops, pending: undefined }
    if (hops.length > maxRedirects) throw new Error(`too many redirects, the last to ${url.pathname}`)
    const target = next.chain.at(-1) ?? url
    if (how.stopBefore?.(target)) return { url: target, answer, hops, pending: next }
    return navigate(next, how)
  }

  /** A path is one of the application: it is beneath `BASE_URL`, said or not. */
  const resolve = (address: string, page: URL | undefined): URL => {
    const basePath = options.baseUrl.pathname.replace(/\/$/, '')
    const isPath = /^\/(?![/\\])/.test(address) && (page ?? options.baseUrl).origin === options.baseUrl.origin
    const isBare = isPath && !address.startsWith(`${basePath}/`)
    return new URL(isBare ? `${basePath}${address}` : address, page ?? options.baseUrl)
  }

  const tab = (): Tab => {
    let page: URL | undefined
    const go = async (navigation: Navigation, how: NavigateOptions = {}): Promise<Landing> => {
      const landing = await navigate(navigation, how)
      if (landing.pending === undefined) page = landing.url
      return landing
    }
    const start = (address: string, method: string, initiator: string | undefined, body?: string) => ({
      method,
      chain: [resolve(address, page)],
      initiator,
      body,
      hops: [],
    })
    const scriptRequest = (address: string, how: FetchOptions) => {
      const from = page ?? options.baseUrl
      const url = resolve(address, page)
      const method = how.method ?? 'GET'
      const sameOrigin = url.origin === from.origin
      const context = sameOrigin ? sameSiteContext([url], from.origin, method) : undefined
      return { url, method, context, headers: { ...scriptHeaders(from, url, method), ...how.headers } }
    }
    return {
      get url() {
        return page
      },
      open: (address, how) => go(start(address, 'GET', undefined), how),
      follow: (address, how) => go(start(address, 'GET', (page ?? options.baseUrl).origin), how),
      submit: (address, fields, how) =>
        go(
          start(address, 'POST', (page ?? options.baseUrl).origin, new URLSearchParams(fields).toString()),
          how,
        ),
      resume: (navigation, how) => go(navigation, how),
      fetch: (address, how = {}) => {
        const { url, method, context, headers } = scriptRequest(address, how)
        return send(method, url, context, headers, how)
      },
      stream: (address, how = {}) => {
        const { url, method, context, headers } = scriptRequest(address, how)
        const cookie = context === undefined ? undefined : cookies.header(url, context)
        return openExchange({
          method,
          url,
          headers: { 'user-agent': userAgent, ...headers, ...(cookie === undefined ? {} : { cookie }) },
          address: options.route?.(url),
          body: how.body,
          signal: how.signal,
        })
      },
    }
  }
  return { cookies, history, tab }
}

/** The next step of a navigation after a redirect, or `undefined` when it has arrived. */
function redirected(navigation: Navigation, answer: Answer, hops: readonly Answer[]): Navigation | undefined {
  const { location } = answer.headers
  if (![301, 302, 303, 307, 308].includes(answer.status) || location === undefined) return undefined
  const keepsMethod = answer.status === 307 || answer.status === 308
  return {
    method: keepsMethod ? navigation.method : 'GET',
    chain: [...navigation.chain, new URL(location, answer.url)],
    initiator: navigation.initiator,
    body: keepsMethod ? navigation.body : undefined,
    hops,
  }
}

function bodyOf(navigation: Navigation): Pick<FetchOptions, 'body'> {
  return navigation.body === undefined ? {} : { body: navigation.body }
}

function navigationHeaders(navigation: Navigation, url: URL): Record<string, string> {
  const { chain, initiator, method } = navigation
  return {
    accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
    'upgrade-insecure-requests': '1',
    ...fetchMetadata(chain, initiator, url, 'navigate', 'document'),
    'sec-fetch-user': '?1',
    ...(method === 'POST'
      ? {
          // A cross-origin redirect taints the origin of a repeated POST.
          origin: chain.length > 1 && initiator !== url.origin ? 'null' : (initiator ?? 'null'),
          'content-type': 'application/x-www-form-urlencoded',
        }
      : {}),
  }
}

function scriptHeaders(page: URL, url: URL, method: string): Record<string, string> {
  const sendsOrigin = url.origin !== page.origin || !['GET', 'HEAD'].includes(method)
  return {
    accept: '*/*',
    ...fetchMetadata([url], page.origin, url, 'cors', 'empty'),
    ...(sendsOrigin ? { origin: page.origin } : {}),
  }
}

/** Fetch Metadata goes only to potentially trustworthy addresses (W3C Fetch Metadata section 2). */
function fetchMetadata(
  chain: readonly URL[],
  initiator: string | undefined,
  url: URL,
  mode: string,
  destination: string,
): Record<string, string> {
  const trustworthy = url.protocol === 'https:' || ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  if (!trustworthy) return {}
  return {
    'sec-fetch-site': fetchSite(chain, initiator),
    'sec-fetch-mode': mode,
    'sec-fetch-dest': destination,
  }
}
