import { afterAll, beforeAll, expect, it } from 'vitest'
import { valuesOf } from '../support/api/upstream.ts'
import { type FrontendName, frontendUrls, send, startHouse, type TestHouse } from '../support/worlds/house.ts'

let world: TestHouse
beforeAll(async () => {
  world = await startHouse()
  const routes = (name: FrontendName) => ({
    API_URL: undefined,
    routes: [{ prefix: '/api', upstream: world.upstreams[name].origin, callers: ['session', 'bearer'] }],
  })
  await world.reload({ shop: routes('shop'), desk: routes('desk'), till: routes('till') })
})
afterAll(() => world.stop())

/** What a client that knows an address and nothing else can ask for. */
function ask(address: URL, headers: Readonly<Record<string, string>> = {}) {
  return send(world.port, `${address.pathname}${address.search}`, {
    headers: { host: address.host, ...headers },
  })
}

it.each(['shop', 'desk'] as const)(
  'a client that knows the address of a resource of %s finds its provider by the refusal (RFC 9728), and is let in with its token',
  async (name) => {
    const resource = new URL(`${frontendUrls[name].replace(/\/$/, '')}/api`)
    const refused = await ask(new URL(`${resource}/orders`))
    expect(refused.status).toBe(401)
    expect(refused.json().code).toBe('bearer_invalid')
    const challenge = String(refused.headers['www-authenticate'])
    const metadataUrl = new URL(/resource_metadata="([^"]+)"/.exec(challenge)?.[1] ?? '')
    // Section 3.1: the well-known part stands between the host and the path of the resource.
    expect(metadataUrl.href).toBe(
      `${resource.origin}/.well-known/oauth-protected-resource${resource.pathname}`,
    )
    const metadata = (await ask(metadataUrl)).json()
    // Section 3.3: whoever asked for this resource must be told of this one.
    expect(metadata.resource).toBe(resource.href)
    expect(metadata.authorization_servers).toEqual([world.providers[name].issuer])
    const { issuer, audience } = world.providers[name]
    const iat = Math.floor(Date.now() / 1_000)
    const claims = { iss: issuer, sub: 'bob', client_id: 'agent', iat, exp: iat + 600 }
    const own = await world.providers[name].sign({ ...claims, aud: audience }, { typ: 'at+jwt' })
    expect((await ask(new URL(`${resource}/orders`), { authorization: `Bearer ${own}` })).status).toBe(200)
    const arrived = world.upstreams[name].requests.at(-1)
    expect(arrived && valuesOf(arrived, 'authorization')).toEqual([`Bearer ${own}`])
    // The same token at the frontend of another provider.
    const elsewhere = new URL(`${frontendUrls.till}/api/orders`)
    const foreign = await ask(elsewhere, { authorization: `Bearer ${own}` })
    expect([foreign.status, foreign.json().code]).toEqual([401, 'bearer_invalid'])
    expect(world.upstreams.till.requests).toHaveLength(0)
  },
)
