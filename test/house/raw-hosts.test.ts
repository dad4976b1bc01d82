import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sendRaw } from '../proxy/support/harness.ts'
import { frontendNames, startHouse, type TestHouse } from '../support/worlds/house.ts'

let plain: TestHouse
let trusting: TestHouse
beforeAll(async () => {
  plain = await startHouse()
  trusting = await startHouse({ env: { TRUST_PROXY: '127.0.0.1' } })
})
afterAll(async () => {
  await plain.stop()
  await trusting.stop()
})

const shop = 'shop.example.test'
const desk = 'internal.example.test'

interface Answered {
  readonly status: number
  readonly code: unknown
  /** The frontend that answered, by the address of its login. */
  readonly frontend: string | undefined
  readonly text: string
}

/** Asks for `/session` of whoever is meant, with these header lines. */
async function ask(
  world: TestHouse,
  lines: readonly string[],
  target = '/session',
  version = '1.1',
): Promise<Answered> {
  const text = await sendRaw(
    world.port,
    [
      `GET ${target} HTTP/${version}`,
      ...lines,
      'sec-fetch-site: same-origin',
      'connection: close',
      '',
      '',
    ].join('\r\n'),
    () => false,
  )
  const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(text) ?? []
  const body = text.slice(text.indexOf('\r\n\r\n') + 4)
  const { code, loginUrl } = body.startsWith('{')
    ? JSON.parse(body)
    : { code: undefined, loginUrl: undefined }
  const frontend = loginUrl === '/login' ? 'shop' : /^\/(\w+)\/login$/.exec(loginUrl ?? '')?.[1]
  return { status: Number(status), code, frontend, text }
}

const outcome = ({ status, code, frontend }: Answered) => (status === 200 ? frontend : `${status} ${code}`)
const unclear = '400 request_invalid'
const nobody = '421 misdirected_request'

describe('the Host of a request on the wire', () => {
  it.each<[readonly string[], string, string]>([
    [[`Host: ${shop}`], '/session', 'shop'],
    [[`hOsT: ${shop.toUpperCase()}`], '/session', 'shop'],
    [[`Host: ${shop}:443`], '/session', 'shop'],
    [[`Host:${desk}`], '/desk/session', 'desk'],
    [[`Host: ${desk}`], '/till/session?/desk', 'till'],
    [[`Host: ${shop}:8443`], '/session', nobody],
    [[`Host: ${shop}:80`], '/session', nobody],
    [['Host: 127.0.0.1'], '/session', nobody],
    [['Host: [::1]'], '/session', nobody],
    [['Host: [::ffff:127.0.0.1]:443'], '/session', nobody],
    [[`Host: ${desk}`], '/session', nobody],
    [[`Host: ${desk}`], '/DESK/session', nobody],
    [[`Host: ${desk}`], '/desk%2Fsession', nobody],
    [[`Host: ${desk}`], '/%64esk/session', nobody],
    [[`Host: ${desk}`], '//desk/session', nobody],
    [[`Host: ${shop}.`], '/session', unclear],
    [[`Host: ${shop}:`], '/session', unclear],
    [[`Host: user@${shop}`], '/session', unclear],
    [[`Host: ${shop}@evil.example`], '/session', unclear],
    [[`Host: ${shop},${shop}`], '/session', unclear],
    [[`Host: ${shop}, ${desk}`], '/session', unclear],
    [['Host: shop.example.test\u00e9'], '/session', unclear],
    [['Host: shop%2eexample.test'], '/session', unclear],
    [[`Host: ${shop}`, `Host: ${shop}`], '/session', unclear],
    [[`Host: ${shop}`, `host: ${desk}`], '/session', unclear],
    [[`Host: ${desk}`, 'X-Other: 1', `HOST: ${shop}`], '/desk/session', unclear],
    [['Host:'], '/session', unclear],
    [[`Host: ${shop}:443:443`], '/session', unclear],
    [[`Host: ${shop}:0443`], '/session', unclear],
    [[`Host: ${shop}:+443`], '/session', unclear],
    [[`Host: ${shop}/desk`], '/session', unclear],
    [[`Host: ${shop}?x`], '/session', unclear],
    [[`Host: https://${shop}`], '/session', unclear],
    [[`Host: ${shop} ${desk}`], '/session', unclear],
    [['Host: [fe80::1%25eth0]'], '/session', unclear],
    [['Host: [fe80::1%eth0]:443'], '/session', unclear],
    [['Host: [::1'], '/session', unclear],
    [['Host: [::1]x'], '/session', unclear],
    [[`Host: ${shop}`, `Forwarded: host=${desk}`, `X-Original-Host: ${desk}`], '/session', 'shop'],
    [[`Host : ${shop}`], '/session', unclear],
    [[`Host: ${shop}`, ` ${desk}`], '/session', unclear],
    [[`Host: ${shop}`], `https://${shop}/session`, '400 request_target_rejected'],
    [[`Host: ${shop}`], `http://${desk}/desk/session`, '400 request_target_rejected'],
  ])('%j and %s: %s', async (lines, target, wanted) => {
    expect(outcome(await ask(plain, lines, target))).toBe(wanted)
  })

  it('is needed, in HTTP/1.0 too', async () => {
    expect((await ask(plain, [])).status).toBe(400)
    expect(outcome(await ask(plain, [], '/session', '1.0'))).toBe(unclear)
    expect(outcome(await ask(plain, [`Host: ${shop}`], '/session', '1.0'))).toBe('shop')
  })

  it('is judged for each request of a connection by itself', async () => {
    const requests = frontendNames.map((name) => {
      const host = name === 'shop' ? shop : desk
      const path = name === 'shop' ? '/session' : `/${name}/session`
      return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nsec-fetch-site: same-origin\r\n\r\n`
    })
    const stranger = 'GET /session HTTP/1.1\r\nHost: x.example\r\nconnection: close\r\n\r\n'
    const text = await sendRaw(plain.port, `${requests.join('')}${stranger}`, () => false)
    expect([...text.matchAll(/"loginUrl":"([^"]+)"/g)].map(([, url]) => url)).toEqual([
      '/login',
      '/desk/login',
      '/till/login',
    ])
    expect([...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status)).toEqual([
      '200',
      '200',
      '200',
      '421',
    ])
  })

  it('decides about WebSockets as about requests', async () => {
    const upgrade = (host: string, path: string) =>
      sendRaw(
        plain.port,
        [
          `GET ${path} HTTP/1.1`,
          `Host: ${host}`,
          'connection: upgrade',
          'upgrade: websocket',
          'sec-websocket-version: 13',
          'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
          `origin: https://${shop}`,
          '',
          '',
        ].join('\r\n'),
      )
    expect(await upgrade('x.example', '/api/x')).toMatch(/^HTTP\/1\.1 421 /)
    expect(await upgrade(`${shop}.`, '/api/x')).toMatch(/^HTTP\/1\.1 400 /)
    expect(await upgrade(shop, '/api/x')).toMatch(/^HTTP\/1\.1 401 /)
    // The page of one frontend is a stranger at another.
    expect(await upgrade(desk, '/desk/api/x')).toMatch(/^HTTP\/1\.1 403 /)
  })
})

describe('X-Forwarded-Host on the wire', () => {
  it.each<[readonly string[], string, string]>([
    [[`X-Forwarded-Host: ${desk}`], '/desk/session', 'desk'],
    [[`x-forwarded-host: ${desk.toUpperCase()}:443`], '/desk/session', 'desk'],
    [[], '/session', 'shop'],
    [['X-Forwarded-Host: x.example'], '/session', nobody],
    [[`X-Forwarded-Host: ${shop}`, `X-Forwarded-Host: ${desk}`], '/session', unclear],
    [[`X-Forwarded-Host: ${shop}`, `x-forwarded-host: ${shop}`], '/session', unclear],
    [[`X-Forwarded-Host: ${desk}, ${shop}`], '/session', unclear],
    [['X-Forwarded-Host:'], '/session', unclear],
    [[`X-Forwarded-Host: ${desk}.`], '/desk/session', unclear],
    [[`X-Forwarded-Host: u@${desk}`], '/desk/session', unclear],
  ])('of a trusted proxy, %j and %s: %s', async (lines, target, wanted) => {
    expect(outcome(await ask(trusting, [`Host: ${shop}`, ...lines], target))).toBe(wanted)
  })

  it('of anybody else is nothing', async () => {
    for (const lines of [[`X-Forwarded-Host: ${desk}`], ['X-Forwarded-Host: a', 'X-Forwarded-Host: b']]) {
      expect(outcome(await ask(plain, [`Host: ${shop}`, ...lines]))).toBe('shop')
    }
  })

  it('is the only header that names another host: Forwarded and its like do not', async () => {
    const lines = [
      `Forwarded: host=${desk}`,
      `X-Host: ${desk}`,
      `X-Forwarded-Server: ${desk}`,
      `X-Original-Host: ${desk}`,
    ]
    expect(outcome(await ask(trusting, [`Host: ${shop}`, ...lines]))).toBe('shop')
  })

  it('does not excuse a Host that is unclear', async () => {
    const lines = [`Host: ${shop}`, `Host: ${desk}`, `X-Forwarded-Host: ${shop}`]
    expect(outcome(await ask(trusting, lines))).toBe(unclear)
  })
})

describe('probes', () => {
  it.each([
    [['Host: x']],
    [['Host: 10.0.0.7:8080']],
    [['Host: [fe80::1]:8080']],
    [['Host: shop.example.test.']],
    [['Host: UPPER_case']],
  ])('answer with %j', async (lines) => {
    for (const target of ['/livez', '/livez?x=1', '/readyz?for=traffic']) {
      expect((await ask(plain, lines, target)).status).toBe(200)
    }
  })

  it('answer in HTTP/1.0 without a Host, as simple balancers ask', async () => {
    expect((await ask(plain, [], '/livez', '1.0')).status).toBe(200)
  })

  it('are the listener’s alone: no frontend has them beneath its path', async () => {
    expect((await ask(plain, [`Host: ${desk}`], '/desk/livez')).status).toBe(404)
    expect((await ask(plain, [`Host: ${desk}`], '/livezx')).status).toBe(421)
  })
})
