import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { createBrowser } from './browser-client.ts'
import { fetchSite, sameSiteContext } from './same-site.ts'

const servers: Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function listen(handler: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(handler)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return address !== null && typeof address === 'object' ? address.port : 0
}

function echo(request: IncomingMessage, response: ServerResponse): void {
  response.end(JSON.stringify({ method: request.method, headers: request.headers }))
}

type Echo = { method: string; headers: Record<string, string | undefined> }

describe('the browser double', () => {
  test('keeps cookies and sends them to the same site only', async () => {
    const port = await listen(echo)
    const browser = createBrowser({ baseUrl: new URL(`http://127.0.0.1:${port}`) })
    browser.cookies.plant(new URL(`http://127.0.0.1:${port}`), 'a=1; Path=/; HttpOnly; SameSite=Strict')
    browser.cookies.plant(new URL(`http://127.0.0.1:${port}`), 'b=2; Path=/; HttpOnly; SameSite=Lax')
    const tab = browser.tab()
    const typed = await tab.open('/')
    expect(typed.answer.json<Echo>().headers.cookie).toBe('a=1; b=2')
    await tab.open(`http://localhost:${port}/`)
    const linked = await tab.follow(`http://127.0.0.1:${port}/`)
    expect(linked.answer.json<Echo>().headers.cookie).toBe('b=2')
    await tab.open(`http://localhost:${port}/`)
    const posted = await tab.submit(`http://127.0.0.1:${port}/`, { x: '1' })
    expect(posted.answer.json<Echo>().headers).toMatchObject({ origin: `http://localhost:${port}` })
    expect(posted.answer.json<Echo>().headers.cookie).toBeUndefined()
  })

  test('leaves Strict cookies at home after a redirect across sites', async () => {
    const port = await listen((request, response) => {
      if (request.url !== '/away') return echo(request, response)
      const back = request.headers.host?.startsWith('localhost')
        ? `http://127.0.0.1:${port}/`
        : `http://localhost:${port}/away`
      response.writeHead(303, { location: back }).end()
    })
    const browser = createBrowser({ baseUrl: new URL(`http://127.0.0.1:${port}`) })
    browser.cookies.plant(new URL(`http://127.0.0.1:${port}`), 'a=1; Path=/; SameSite=Strict')
    const landing = await browser.tab().open('/away')
    expect(landing.hops).toHaveLength(3)
    expect(landing.answer.json<Echo>().headers.cookie).toBeUndefined()
  })

  test('describes its requests as a browser does', async () => {
    const port = await listen(echo)
    const tab = createBrowser({ baseUrl: new URL(`http://127.0.0.1:${port}`) }).tab()
    const { answer } = await tab.open('/')
    expect(answer.json<Echo>().headers).toMatchObject({
      'sec-fetch-site': 'none',
      'sec-fetch-dest': 'document',
    })
    const fetched = await tab.fetch('/x', { method: 'POST', headers: { 'x-own': '1' } })
    expect(fetched.json<Echo>().headers).toMatchObject({
      'sec-fetch-site': 'same-origin',
      'sec-fetch-mode': 'cors',
      'x-own': '1',
      'sec-fetch-dest': 'empty',
      origin: `http://127.0.0.1:${port}`,
    })
    const abroad = await tab.fetch(`http://localhost:${port}/x`)
    expect(abroad.json<Echo>().headers).toMatchObject({
      'sec-fetch-site': 'cross-site',
      origin: `http://127.0.0.1:${port}`,
    })
  })

  test('stops before an address and resumes there', async () => {
    const port = await listen((request, response) => {
      if (request.url === '/') response.writeHead(303, { location: '/next' })
      response.end('arrived')
    })
    const tab = createBrowser({ baseUrl: new URL(`http://127.0.0.1:${port}`) }).tab()
    const stopped = await tab.open('/', { stopBefore: (url) => url.pathname === '/next' })
    expect(stopped.url.pathname).toBe('/next')
    expect(stopped.hops).toHaveLength(1)
    if (stopped.pending === undefined) throw new Error('the navigation did not stop')
    expect((await tab.resume(stopped.pending)).answer.text()).toBe('arrived')
  })

  test.each([
    ['__Host-Http-x=1; Path=/; Secure', 'without HttpOnly'],
    ['__Host-Http-x=1; Path=/; HttpOnly', 'without Secure'],
    ['__Host-x=1; Path=/y; Secure', 'with another path'],
    ['__Host-x=1; Path=/; Secure; Domain=app.example.test', 'with a domain'],
  ])('refuses %s', (setCookie) => {
    const { cookies } = createBrowser({ baseUrl: new URL('https://app.example.test') })
    cookies.plant(new URL('https://app.example.test/'), setCookie)
    expect(cookies.refused).toHaveLength(1)
    expect(cookies.list(new URL('https://app.example.test/'))).toEqual([])
  })

  test('accepts a cookie that keeps the promises of its prefix', () => {
    const { cookies } = createBrowser({ baseUrl: new URL('https://app.example.test') })
    cookies.plant(new URL('https://app.example.test/'), '__Host-Http-x=1; Path=/; Secure; HttpOnly')
    expect(cookies.get(new URL('https://app.example.test/'), '__Host-Http-x')).toBe('1')
    expect(cookies.refused).toEqual([])
  })
})

describe('sites', () => {
  const chain = (...addresses: string[]) => addresses.map((address) => new URL(address))

  test('ports do not separate sites, schemes and domains do', () => {
    expect(sameSiteContext(chain('http://127.0.0.1:1/'), 'http://127.0.0.1:2', 'GET')).toBe('strict')
    expect(sameSiteContext(chain('https://a.example.test/'), 'http://a.example.test', 'GET')).toBe('lax')
    expect(sameSiteContext(chain('https://a.example.test/'), 'https://b.example.test', 'POST')).toBe('strict')
    expect(sameSiteContext(chain('https://a.example.test/'), 'https://a.other.test', 'POST')).toBe('none')
  })

  test('Sec-Fetch-Site counts the whole way', () => {
    const own = 'https://a.example.test'
    expect(fetchSite(chain(`${own}/`), undefined)).toBe('none')
    expect(fetchSite(chain(`${own}/`), own)).toBe('same-origin')
    expect(fetchSite(chain(`${own}/`), 'https://b.example.test')).toBe('same-site')
    expect(fetchSite(chain('https://idp.other.test/', `${own}/`), own)).toBe('cross-site')
  })
})
