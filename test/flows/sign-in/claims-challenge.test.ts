import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Answer } from '../../support/exchange.ts'
import { type AccessWorld, ownPage, startAccessWorld } from '../../support/worlds/access-world.ts'

let world: AccessWorld
/** What the API demands in its 401, in the way of Entra's; empty: nothing. */
let demanded = ''
/** What ID tokens say besides. */
let identity: Readonly<Record<string, unknown>> = {}
/** A session that did not meet it. */
let cookie: string

beforeAll(async () => {
  world = await startAccessWorld([{ prefix: '/api' }], { RATE_LIMIT: 'off' })
  world.api.on('/x', (response) => {
    const claims = Buffer.from(demanded).toString('base64')
    const challenge = `Bearer realm="", authorization_uri="https://evil.example/authorize", error="insufficient_claims", claims="${claims}"`
    if (demanded === '') response.end('ok')
    else response.writeHead(401, { 'www-authenticate': challenge }).end('no')
  })
  world.provider.faults.idToken = (claims) => void Object.assign(claims, identity)
}, 60_000)
afterAll(() => world.stop())
beforeEach(async () => {
  identity = {}
  demanded =
    '{"id_token":{"acrs":{"essential":true,"value":"c1"}},"access_token":{"nbf":{"essential":true,"value":"1"}}}'
  cookie = await world.signIn()
})

const call = (as = cookie): Promise<Answer> => world.get('/api/x', { cookie: as, ...ownPage })
const isSession = (each: string): boolean => /^coatcheck-\d+=[^;]/.test(each)

async function loginUrlOf(as = cookie): Promise<string> {
  const refused = await call(as)
  expect([refused.status, refused.json().code]).toEqual([401, 'step_up_required'])
  return String(refused.json().loginUrl)
}

describe('an API that answers `insufficient_claims`, as those behind Entra do', () => {
  it('leads to a login that asks for these claims, and is content after it', async () => {
    const loginUrl = await loginUrlOf()
    // Neither the demand nor the address that the API has named is in the link.
    expect(loginUrl).toMatch(/^\/login\?stepUp=[\w-]+$/)
    const begun = await world.get(loginUrl, { cookie })
    const authorization = new URL(begun.headers.location ?? '')
    expect(authorization.origin).toBe(new URL(world.provider.issuer).origin)
    expect(JSON.parse(authorization.searchParams.get('claims') ?? '')).toEqual(JSON.parse(demanded))
    identity = { acrs: ['c1', 'c2'] }
    const stronger = await world.signIn(loginUrl.replace('/login', ''), cookie)
    demanded = ''
    expect((await call(stronger)).status).toBe(200)
  })

  it.each<[string, Readonly<Record<string, unknown>>]>([
    ['without the claim', {}],
    ['with another value', { acrs: ['c2'] }],
    ['with a text that only holds the value', { acrs: 'c1 c2' }],
    ['with an object', { acrs: { c1: true } }],
  ])('takes no login %s for one that meets it', async (_, claims) => {
    const loginUrl = await loginUrlOf()
    identity = claims
    const done = await world.tryToSignIn(loginUrl.replace('/login', ''), cookie)
    expect([done.status, done.setCookies.some(isSession)]).toEqual([400, false])
    demanded = ''
    expect((await call()).status, 'the session that was there is kept').toBe(200)
  })

  it('is not asked in a circle: the same demand right after the login that met it is said on a page', async () => {
    const loginUrl = await loginUrlOf()
    identity = { acrs: ['c1'] }
    const stronger = await world.signIn(loginUrl.replace('/login', ''), cookie)
    const second = await loginUrlOf(stronger)
    const page = await world.get(second, {
      cookie: stronger,
      accept: 'text/html',
      'sec-fetch-mode': 'navigate',
    })
    expect(page.status).toBe(401)
    expect(page.text()).toContain('Signing in once more would not help')
    // Other words are another demand.
    demanded = '{"id_token":{"acrs":{"essential":true,"value":"c2"}}}'
    const third = await loginUrlOf(stronger)
    expect((await world.get(third, { cookie: stronger })).status).toBe(303)
  })

  it('makes a link that is worth nothing to another session, changed, lengthened, or after ten minutes', async () => {
    const loginUrl = await loginUrlOf()
    const other = await world.signIn()
    const handle = loginUrl.split('=')[1] ?? ''
    const statusOf = async (url: string, as?: string) =>
      (await world.get(url, as === undefined ? {} : { cookie: as })).status
    expect(await statusOf(loginUrl, other)).toBe(400)
    expect(await statusOf(loginUrl)).toBe(400)
    expect(await statusOf(`${loginUrl}A`, cookie)).toBe(400)
    expect(await statusOf(`${loginUrl}&stepUp=${handle}`, cookie)).toBe(400)
    const flipped = `${handle.slice(0, 20)}${handle[20] === 'A' ? 'B' : 'A'}${handle.slice(21)}`
    expect(await statusOf(`/login?stepUp=${flipped}`, cookie)).toBe(400)
    expect(await statusOf('/login?stepUp=', cookie)).toBe(400)
    expect(await statusOf(loginUrl, cookie)).toBe(303)
    world.pass(599_000)
    expect(await statusOf(loginUrl, cookie)).toBe(303)
    world.pass(2_000)
    expect(await statusOf(loginUrl, cookie)).toBe(400)
  })

  it.each(['[]', '"x"', '{', '{"id_token":', 'x'.repeat(5_000)])(
    'with claims that are no request (%#) is passed on as it is',
    async (text) => {
      demanded = text
      const answer = await call()
      expect([answer.status, answer.text()]).toEqual([401, 'no'])
    },
  )
})
