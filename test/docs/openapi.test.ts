import { readFileSync } from 'node:fs'
import type { InjectOptions } from 'fastify'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { errorCodes } from '../../src/errors/codes.ts'
import { GatewayError } from '../../src/errors/gateway-error.ts'
import { problemRules } from '../../src/errors/problem.ts'
import { type Limits, noLimits } from '../../src/http/limits/limits.ts'
import {
  buildGateway,
  fetchHeaders,
  navigationHeaders,
  sessionCookie,
  type TestGateway,
} from '../http/support/gateway.ts'
import { type RoutedGateway, startRoutedGateway } from '../support/gateway/routed-gateway.ts'
import { type Documented, documented, openApi, schemaFault } from './openapi.ts'

const form = { 'content-type': 'application/x-www-form-urlencoded' }
const limited = new GatewayError('rate_limited')
const refuse = (): never => {
  throw limited
}
const noMore: Limits = {
  ...noLimits,
  admitLogin: refuse,
  admitPush: refuse,
  admitLookup: refuse,
  admitSession: refuse,
  countMiss: () => limited,
  admitStray: refuse,
  countStray: () => limited,
}

/** A request, after what makes it end as it shall. */
type Scenario = (gateway: TestGateway) => InjectOptions | Promise<InjectOptions>

const fetching =
  (arrange?: (gateway: TestGateway) => void): Scenario =>
  (gateway) => {
    const id = gateway.sessions.add()
    arrange?.(gateway)
    return { headers: { ...fetchHeaders, cookie: `${sessionCookie}=${id}` } }
  }
const anonymous: Scenario = () => ({ headers: fetchHeaders })
const stale: Scenario = () => ({ headers: { ...fetchHeaders, cookie: `${sessionCookie}=${'x'.repeat(43)}` } })
const foreign: Scenario = () => ({ headers: { 'sec-fetch-site': 'cross-site' } })
const storeDown = fetching((gateway) => {
  gateway.sessions.isDown = true
})
const refreshing = (
  code: 'refresh_refused' | 'access_token_unusable' | 'provider_rejected' | 'provider_unavailable',
) =>
  fetching((gateway) => {
    gateway.refreshFailure = new GatewayError(code)
  })

/** A callback of a login that was begun in this browser. */
const calledBack =
  (arrange?: (gateway: TestGateway) => void): Scenario =>
  async (gateway) => {
    const begun = await gateway.app.inject({ url: '/login', headers: navigationHeaders })
    const [cookie] = begun.cookies
    arrange?.(gateway)
    const state = gateway.provider.begun.at(-1)?.state
    return {
      query: { code: 'c', state: `${state}` },
      headers: { cookie: `${cookie?.name}=${cookie?.value}` },
    }
  }
const refusedBy = (code: 'login_refused' | 'login_denied' | 'provider_unavailable') =>
  calledBack((gateway) => {
    gateway.provider.refusal = new GatewayError(code)
  })
const failing = (code: 'access_token_unusable' | 'provider_rejected') =>
  calledBack((gateway) => {
    gateway.provider.tokenFailure = new GatewayError(code)
  })
/** The same answer as a form, as our own page posts it. */
const posted =
  (scenario: Scenario): Scenario =>
  async (gateway) => {
    const { query, headers } = await scenario(gateway)
    const payload = new URLSearchParams(query as Record<string, string>).toString()
    return { url: '/callback?reposted', headers: { ...headers, ...form }, payload }
  }
const refusedPush =
  (scenario: Scenario): Scenario =>
  (gateway) => {
    gateway.provider.pushFailure = new GatewayError('provider_rejected')
    return scenario(gateway)
  }
const logoutToken =
  (token: string, headers: Record<string, string> = form): Scenario =>
  () => ({ headers, payload: token })
const initiated =
  (changes: Readonly<Record<string, string>> = {}): Scenario =>
  () => ({
    headers: { ...navigationHeaders, ...form },
    payload: new URLSearchParams({ iss: 'https://issuer.example/', ...changes }).toString(),
  })
const framed = { iss: 'https://issuer.example/', sid: 'sid-1' }

/** By operation and status: for problems one scenario for each code, otherwise one. */
const scenarios: Readonly<Record<string, Scenario | Readonly<Record<string, Scenario>>>> = {
  'GET /login 303': () => ({ headers: navigationHeaders }),
  'GET /login 400': {
    return_to_invalid: () => ({ query: { returnTo: 'https://evil.test' } }),
    request_invalid: () => ({ url: '/login?returnTo=/a&returnTo=/b' }),
  },
  'GET /login 403': { csrf_rejected: () => ({ headers: { 'sec-fetch-dest': 'image' } }) },
  'GET /login 429': { rate_limited: () => ({}) },
  'GET /login 503': {
    provider_unavailable: (gateway) => {
      gateway.provider.ready = false
      return {}
    },
  },
  'GET /login 502': { provider_rejected: refusedPush(() => ({})) },
  'POST /login 303': initiated(),
  'POST /login 400': {
    return_to_invalid: initiated({ target_link_uri: 'https://evil.test' }),
    request_invalid: initiated({ iss: 'https://other.test' }),
  },
  'POST /login 403': { csrf_rejected: () => ({ headers: { ...form, 'sec-fetch-dest': 'image' } }) },
  'POST /login 413': { payload_too_large: initiated({ x: 'x'.repeat(20_000) }) },
  'POST /login 415': {
    unsupported_media_type: () => ({ headers: { 'content-type': 'application/json' }, payload: '{}' }),
  },
  'POST /login 429': { rate_limited: initiated() },
  'POST /login 502': { provider_rejected: refusedPush(initiated()) },
  'POST /login 503': {
    provider_unavailable: (gateway) => {
      gateway.provider.ready = false
      return initiated()(gateway)
    },
  },
  'HEAD /login 200': () => ({}),
  'GET /callback 303': calledBack(),
  'GET /callback 400': {
    login_state_invalid: () => ({ query: { state: 'x' } }),
    login_refused: refusedBy('login_refused'),
    request_invalid: () => ({ url: '/callback?state=a&state=b' }),
  },
  'GET /callback 401': {
    session_expired: calledBack((gateway) => {
      gateway.sessions.endsMeanwhile = true
    }),
  },
  'GET /callback 403': { login_denied: refusedBy('login_denied') },
  'GET /callback 429': { rate_limited: () => ({ query: { state: 'x' } }) },
  'GET /callback 502': {
    access_token_unusable: failing('access_token_unusable'),
    provider_rejected: failing('provider_rejected'),
  },
  'GET /callback 503': {
    provider_unavailable: refusedBy('provider_unavailable'),
    session_store_unavailable: calledBack((gateway) => {
      gateway.sessions.isDown = true
    }),
  },
  'POST /callback 200': () => ({ headers: form, payload: 'state=x&code=c' }),
  'POST /callback 303': posted(calledBack()),
  'POST /callback 400': {
    login_state_invalid: posted(() => ({ query: { state: 'x' } })),
    login_refused: posted(refusedBy('login_refused')),
    request_invalid: () => ({ headers: form, payload: 'state=a&state=b' }),
  },
  'POST /callback 401': {
    session_expired: posted(
      calledBack((gateway) => {
        gateway.sessions.endsMeanwhile = true
      }),
    ),
  },
  'POST /callback 403': { login_denied: posted(refusedBy('login_denied')) },
  'POST /callback 413': {
    payload_too_large: () => ({ headers: form, payload: `state=${'x'.repeat(100_000)}` }),
  },
  'POST /callback 415': {
    unsupported_media_type: () => ({ headers: { 'content-type': 'application/json' }, payload: '{}' }),
  },
  'POST /callback 429': { rate_limited: posted(() => ({ query: { state: 'x' } })) },
  'POST /callback 502': {
    access_token_unusable: posted(failing('access_token_unusable')),
    provider_rejected: posted(failing('provider_rejected')),
  },
  'POST /callback 503': {
    provider_unavailable: posted(refusedBy('provider_unavailable')),
    session_store_unavailable: posted(
      calledBack((gateway) => {
        gateway.sessions.isDown = true
      }),
    ),
  },
  'GET /session 200': fetching(),
  'GET /session 403': { csrf_rejected: foreign },
  'GET /session 429': { rate_limited: fetching() },
  'GET /session 503': { session_store_unavailable: storeDown },
  'HEAD /session 200': fetching(),
  'HEAD /session 403': { csrf_rejected: foreign },
  'POST /session/refresh 200': fetching(),
  'POST /session/refresh 401': { refresh_refused: refreshing('refresh_refused') },
  'POST /session/refresh 403': { csrf_rejected: foreign },
  'POST /session/refresh 429': { rate_limited: fetching() },
  'POST /session/refresh 502': {
    access_token_unusable: refreshing('access_token_unusable'),
    provider_rejected: refreshing('provider_rejected'),
  },
  'POST /session/refresh 503': {
    provider_unavailable: refreshing('provider_unavailable'),
    session_store_unavailable: storeDown,
  },
  ...Object.fromEntries(
    ['GET /sessions', 'DELETE /sessions', 'DELETE /sessions/{id}'].flatMap((operation) => [
      [`${operation} 401`, { session_missing: anonymous, session_expired: stale }],
      [`${operation} 403`, { csrf_rejected: foreign }],
      [`${operation} 429`, { rate_limited: fetching() }],
      [`${operation} 503`, { session_store_unavailable: storeDown }],
    ]),
  ),
  'GET /sessions 200': fetching(),
  'GET /sessions 400': {
    request_invalid: async (gateway) => ({ ...(await fetching()(gateway)), query: { limit: '0' } }),
  },
  'HEAD /sessions 200': fetching(),
  'HEAD /sessions 403': { csrf_rejected: foreign },
  'DELETE /sessions 200': fetching(),
  'DELETE /sessions/{id} 204': async (gateway) => {
    const headers = { ...fetchHeaders, cookie: `${sessionCookie}=${gateway.sessions.add()}` }
    const listed = await gateway.app.inject({ url: '/sessions', headers })
    return { url: `/sessions/${listed.json<{ sessions: { id: string }[] }>().sessions[0]?.id}`, headers }
  },
  'DELETE /sessions/{id} 404': { not_found: fetching() },
  'POST /logout 200': async (gateway) => {
    const request = await fetching()(gateway)
    return { headers: { ...request.headers, accept: 'application/json' } }
  },
  'POST /logout 303': fetching(),
  'POST /logout 403': { csrf_rejected: foreign },
  'POST /logout 413': {
    payload_too_large: () => ({ headers: { ...fetchHeaders, ...form }, payload: 'x'.repeat(5_000) }),
  },
  'POST /logout 503': { session_store_unavailable: storeDown },
  'GET /logout 200': () => ({}),
  'GET /logout 303': () => ({ headers: { ...navigationHeaders, 'sec-fetch-site': 'same-origin' } }),
  'GET /logout 503': {
    session_store_unavailable: async (gateway) => {
      const { headers } = await storeDown(gateway)
      return { headers: { ...headers, ...navigationHeaders, accept: '*/*', 'sec-fetch-site': 'same-origin' } }
    },
  },
  'HEAD /logout 200': () => ({}),
  'GET /logout/callback 303': () => ({}),
  'HEAD /logout/callback 303': () => ({}),
  'POST /backchannel-logout 200': logoutToken('logout_token=good'),
  'POST /backchannel-logout 400': logoutToken('logout_token=bad'),
  'POST /backchannel-logout 413': logoutToken(`logout_token=${'x'.repeat(20_000)}`),
  'POST /backchannel-logout 415': logoutToken('{}', { 'content-type': 'application/json' }),
  'POST /backchannel-logout 429': logoutToken('logout_token=bad'),
  'POST /backchannel-logout 503': logoutToken('logout_token=keys'),
  'GET /client-keys 200': (gateway) => {
    gateway.provider.keys.push({ kty: 'EC', kid: 'key', use: 'sig' })
    return {}
  },
  'GET /client-keys 404': { not_found: () => ({}) },
  'HEAD /client-keys 200': (gateway) => {
    gateway.provider.keys.push({ kty: 'EC', kid: 'key', use: 'sig' })
    return {}
  },
  'GET /client.js 200': () => ({}),
  'GET /client.js 304': async (gateway) => {
    const { headers } = await gateway.app.inject('/client.js')
    return { headers: { 'if-none-match': String(headers.etag) } }
  },
  'HEAD /client.js 200': () => ({}),
  'GET /frontchannel-logout 200': () => ({ query: framed }),
  'GET /frontchannel-logout 400': { request_invalid: () => ({}) },
  'GET /frontchannel-logout 429': { rate_limited: () => ({ query: framed }) },
  'GET /frontchannel-logout 503': {
    session_store_unavailable: (gateway) => {
      gateway.sessions.isDown = true
      return { query: framed }
    },
  },
  'GET /livez 200': () => ({}),
  'HEAD /livez 200': () => ({}),
  'GET /readyz 200': () => ({}),
  'GET /readyz 400': { request_invalid: () => ({ url: '/readyz?for=a&for=b' }) },
  'GET /readyz 503': (gateway) => {
    gateway.process.isDraining = true
    return {}
  },
  'HEAD /readyz 200': () => ({}),
  'HEAD /readyz 503': (gateway) => {
    gateway.process.isDraining = true
    return {}
  },
}

/** Other listeners, the proxied routes, and what is there for some routes alone (test/flows/tokens/minted-tokens.test.ts) have tests of their own. */
const isElsewhere = (path: string): boolean =>
  path === '/metrics' ||
  path === '/api/{path}' ||
  path === '/keys' ||
  path.startsWith('/.well-known/') ||
  path.startsWith('/check')
const own = documented().filter(({ path }) => !isElsewhere(path))
const keyOf = ({ method, path, status }: Documented): string => `${method} ${path} ${status}`

describe('docs/openapi.yaml', () => {
  let gateway: TestGateway | undefined
  afterEach(() => gateway?.app.close())

  it('documents exactly the statuses and codes that are tried here', () => {
    expect(Object.keys(scenarios).sort()).toEqual(own.map(keyOf).sort())
    for (const response of own) {
      const scenario = scenarios[keyOf(response)]
      const codes = typeof scenario === 'function' ? [] : Object.keys(scenario ?? {})
      expect([keyOf(response), [...response.codes].sort()]).toEqual([keyOf(response), codes.sort()])
    }
  })

  const cases = own.flatMap((response) => {
    const scenario = scenarios[keyOf(response)]
    const all = typeof scenario === 'function' ? [['', scenario] as const] : Object.entries(scenario ?? {})
    return all.map(([code, each]) => [keyOf(response), code, response, each] as const)
  })
  it.each(cases)('%s %s is what the gateway answers', async (key, code, response, scenario) => {
    const isPosted = key.startsWith('POST /callback')
    gateway = await buildGateway({
      ...(response.status === '429' ? { limits: noMore } : {}),
      ...(isPosted ? { responseMode: 'form_post' as const } : {}),
    })
    const request = await scenario(gateway)
    const method = response.method as 'GET' | 'HEAD'
    const url = response.path.replace('{id}', 'i'.repeat(43))
    const answer = await gateway.app.inject({ method, url, ...request })
    expect([answer.statusCode, answer.body.slice(0, 200)]).toEqual([
      Number(response.status),
      expect.anything(),
    ])
    for (const header of response.headers) expect(answer.headers).toHaveProperty(header)
    if (method === 'HEAD') return
    const type = `${answer.headers['content-type'] ?? ''}`.split(';', 1)[0] ?? ''
    if (Object.keys(response.content).length === 0) {
      expect(answer.body).toBe('')
      return
    }
    expect(Object.keys(response.content)).toContain(type)
    const schema = response.content[type]?.schema
    if (schema !== undefined) expect(schemaFault(schema, answer.json())).toBeUndefined()
    expect(answer.body).toContain(code)
  })

  it('would notice a body of another shape', () => {
    const { Session = {}, Problem = {} } = openApi.components.schemas
    expect(schemaFault(Session, { authenticated: false, loginUrl: '/login' })).toBeUndefined()
    expect(schemaFault(Session, { authenticated: true, loginUrl: '/login' })).toBeDefined()
    expect(schemaFault(Session, { authenticated: false, loginUrl: '/login', token: 'x' })).toBeDefined()
    expect(schemaFault(Problem, { code: 'unknown' })).toBeDefined()
  })

  it('knows every problem code, each with its status', () => {
    const { Code } = openApi.components.schemas
    expect(Code).toEqual({ type: 'string', enum: [...errorCodes] })
    for (const { codes, status } of documented()) {
      for (const code of codes)
        expect([code, `${problemRules[code as 'draining'].status}`]).toEqual([code, status])
    }
  })
})

/** The paths of a router's printed tree: each line is a part, as deep as it is indented. */
function pathsIn(tree: string): readonly string[] {
  const parts: string[] = []
  return tree.split('\n').flatMap((line) => {
    const [, indent = '', part, methods] = /^((?:│ {3}| {4})*)[├└]── (\S*)( \(.*)?/.exec(line) ?? []
    if (part === undefined) return []
    parts.splice(indent.length / 4, parts.length, part)
    return methods === undefined ? [] : [parts.join('')]
  })
}

describe('the running gateway', () => {
  let gateway: RoutedGateway
  beforeAll(async () => {
    gateway = await startRoutedGateway({ SPA_DIR: '' })
  })
  afterAll(() => gateway.stop())

  it('registers no address that is not documented, and all that are', () => {
    const registered = new Set(
      pathsIn(gateway.printRoutes()).map((path) => path.replace(/\/$/, '').replace(':id', '{id}')),
    )
    const known = Object.keys(openApi.paths).filter((path) => !isElsewhere(path))
    const proxied = [...gateway.upstreams.keys()].flatMap((prefix) => [prefix, `${prefix}/*`])
    expect([...registered].filter((path) => !proxied.includes(`${path}` as '/api')).sort()).toEqual(
      known.sort(),
    )
  })

  it.each(Object.entries(openApi.paths).filter(([path]) => !isElsewhere(path)))(
    '%s answers the documented methods, and 405 to all others',
    async (path, operations) => {
      for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']) {
        // There with RESPONSE_MODE=form_post only, as tried above.
        if (path === '/callback' && method === 'POST') continue
        const answer = await fetch(`${gateway.origin}${path.replace('{id}', 'x')}`, {
          method,
          redirect: 'manual',
        })
        expect([method, answer.status !== 405]).toEqual([method, method.toLowerCase() in operations])
      }
    },
  )
})

describe('docs/endpoints.md', () => {
  const text = readFileSync(new URL('../../docs/endpoints.md', import.meta.url), 'utf8')

  it('names every operation', () => {
    for (const { method, path } of documented()) {
      const named =
        method === 'HEAD' || path === '/api/{path}' ? path.replace('{path}', '*') : `${method} ${path}`
      expect(text).toContain(named)
    }
  })

  it('has a row for every problem code, with its status', () => {
    for (const code of errorCodes) expect(text).toContain(`| \`${code}\` | ${problemRules[code].status} |`)
  })
})
