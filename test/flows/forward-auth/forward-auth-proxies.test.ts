import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { type ArrivedRequest, valuesOf } from '../../support/api/upstream.ts'
import { carriers } from '../../support/fronts/carriers.ts'
import { handshake, navigation, ownFetch } from '../../support/questions.ts'
import {
  type Carried,
  type CarriedAnswer,
  type CarriedWorld,
  startCarriedWorld,
} from '../../support/worlds/carried-world.ts'

/** What a browser could write to pass for somebody else, or for another request. */
const forged: Readonly<Record<string, string>> = {
  authorization: 'Bearer forged',
  dpop: 'forged',
  'x-user': 'forged',
  'x-email': 'forged',
  x_user: 'forged',
  'x-auth-request-user': 'forged',
  'x-auth-request-access-token': 'forged',
  'x-forwarded-user': 'forged',
  'remote-user': 'forged',
  'x-forwarded-method': 'GET',
  'x-forwarded-uri': '/public/forged',
  'x-forwarded-host': 'forged.example',
  'x-forwarded-proto': 'http',
  'x-forwarded-for': '9.9.9.9',
  forwarded: 'for=9.9.9.9;host=forged.example',
  'x-original-method': 'GET',
  'x-original-uri': '/public/forged',
  'x-original-url': '/public/forged',
  'x-rewrite-url': '/public/forged',
  'x-http-method-override': 'GET',
  'x-method-override': 'GET',
  'x-http-method': 'GET',
}
/** Those of them that the app must not even see. */
const unseen = Object.keys(forged).filter(
  (name) => !/^(authorization|x-user|x-forwarded-(for|host|proto))$/.test(name),
)

describe.each(carriers)('forward-auth behind $name', ({ name, isLeftOut, start }) => {
  describe.skipIf(isLeftOut)(isLeftOut ? 'left out: it is not installed' : 'as shipped', () => {
    let world: CarriedWorld
    let cookie: string

    beforeAll(async () => {
      world = await startCarriedWorld(start)
      cookie = (await world.signIn()).cookie
    })
    afterAll(() => world.stop())

    /** An answer, and what reached the app by it. */
    async function carry(target: string, carried: Carried = {}) {
      const before = world.app.requests.length
      const answer = await world.send(target, carried)
      return { answer, arrived: world.app.requests[before] }
    }
    const signedIn = (more: Carried = {}): Carried => ({
      ...more,
      headers: { cookie, ...ownFetch, ...more.headers },
    })

    async function expectRefusal(
      target: string,
      carried: Carried,
      statuses: readonly number[],
    ): Promise<CarriedAnswer> {
      const { answer, arrived } = await carry(target, carried)
      expect({ target, arrived }).toEqual({ target, arrived: undefined })
      expect(statuses, `${carried.method ?? 'GET'} ${target}: ${answer.status} ${answer.text}`).toContain(
        answer.status,
      )
      expect(JSON.stringify(answer.headers)).not.toContain('eyJ')
      return answer
    }

    it('a signed-in fetch reaches the app byte for byte, with the token and without our cookie', async () => {
      const target = '/api/a//b/%7Ec;v=1/?x=1&y=%2F'
      const { answer, arrived } = await carry(
        target,
        signedIn({ headers: { cookie: `theme=dark; ${cookie}` } }),
      )
      expect([answer.status, arrived?.target]).toEqual([200, target])
      expect(valuesOf(arrived as ArrivedRequest, 'authorization')).toEqual([
        expect.stringMatching(/^Bearer eyJ/),
      ])
      expect(valuesOf(arrived as ArrivedRequest, 'cookie')).toEqual(['theme=dark'])
      expect(valuesOf(arrived as ArrivedRequest, 'dpop').join('')).toBe('')
      expect(valuesOf(arrived as ArrivedRequest, 'x-user')).toEqual(['alice'])
      expect(answer.headers).not.toHaveProperty('authorization')
    })

    it('nothing that a browser forges reaches the app, signed in or not', async () => {
      for (const target of ['/api/x', '/maybe/x', '/public/x']) {
        const headers = { ...forged, cookie, ...ownFetch }
        const { arrived } = await carry(target, {
          headers: target === '/api/x' ? headers : { ...headers, cookie: 'a=b' },
        })
        const request = arrived as ArrivedRequest
        expect(request.target).toBe(target)
        for (const each of unseen)
          expect([each, valuesOf(request, each).filter((value) => value !== '')]).toEqual([each, []])
        expect(JSON.stringify(request.headers)).not.toContain('forged')
        expect(JSON.stringify(request.headers)).not.toContain('9.9.9.9')
      }
    })

    it('a refusal comes whole: status, problem, headers', async () => {
      const missing = await expectRefusal('/api/x', { headers: ownFetch }, [401])
      expect(JSON.parse(missing.text)).toMatchObject({ code: 'session_missing', loginUrl: '/auth/login' })
      expect(missing.headers['content-type']).toMatch(/^application\/problem\+json/)
      expect(String(missing.headers['www-authenticate'])).toContain('Cookie')
      const forbidden = await expectRefusal('/admins/x', signedIn(), [403])
      expect(JSON.parse(forbidden.text)).toMatchObject({ code: 'forbidden' })
    })

    it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'GET'])(
      'a forged %s does not reach the app',
      async (method) => {
        for (const headers of [
          {
            cookie,
            'sec-fetch-site': 'cross-site',
            'sec-fetch-mode': 'no-cors',
            origin: 'https://evil.example',
          },
          { cookie, 'sec-fetch-site': 'same-site' },
          { cookie, ...ownFetch, origin: 'https://evil.example' },
          { cookie },
          { ...forged, cookie },
          { ...forged, cookie, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' },
        ]) {
          const answer = await expectRefusal(
            '/api/x',
            { method, headers, ...(method === 'GET' ? {} : { body: 'x=1' }) },
            [403],
          )
          expect(answer.text).toContain('csrf_rejected')
        }
        const form = { ...navigation('cross-site'), cookie, origin: 'https://evil.example' }
        if (method === 'POST') await expectRefusal('/api/x', { method, headers: form, body: 'x=1' }, [403])
      },
    )

    it.each([
      ['double slashes', ['//api/x', '//', '/public//../api/x', '/maybe/..//api/x']],
      [
        'encoded slashes',
        ['/public%2f..%2fapi%2fx', '/public/..%2fapi/x', '/%2fapi/x', '/public/%2e%2e%2fapi'],
      ],
      ['dots', ['/public/../api/x', '/public/%2e%2e/api/x', '/public/..;/api/x', '/public/./../api/x']],
      ['case', ['/API/x', '/Public/../api/x', '/PUBLIC/x', '/pUblic/x']],
      ['escapes', ['/%61pi/x', '/%70ublic/x', '/public/%5c..%5capi', '/public/%252e%252e/api']],
      [
        'queries',
        [
          '/api/x?/public/x',
          '/api/x?x=/public&X-Forwarded-Uri=/public/x',
          '/x?rd=/public/',
          '/api?allowed=1',
        ],
      ],
    ])('%s lead nobody past the check', async (_kind, targets) => {
      for (const target of targets) {
        for (const headers of [
          ownFetch,
          { ...forged, ...ownFetch },
          { ...forged, cookie: 'a=b', ...ownFetch },
        ]) {
          await expectRefusal(target, { headers }, [400, 401, 403, 404])
        }
      }
    })

    it('method override headers make no other request of it', async () => {
      for (const override of ['x-http-method-override', 'x-http-method', 'x-method-override']) {
        const headers = { ...ownFetch, cookie, [override]: 'DELETE' }
        const { arrived } = await carry('/api/x', { headers })
        expect([arrived?.method, valuesOf(arrived as ArrivedRequest, override).join('')]).toEqual(['GET', ''])
        await expectRefusal(
          '/api/x',
          { method: 'POST', headers: { [override]: 'GET', ...ownFetch }, body: 'x' },
          [401],
        )
      }
    })

    it('10 MB go through with a session, and stay outside without', async () => {
      world.app.on('/api/upload', async (response, request) => {
        await request.body
        response.end('taken')
      })
      const body = Buffer.alloc(10_000_000, 'x')
      const headers = { 'content-type': 'application/octet-stream' }
      const { answer, arrived } = await carry('/api/upload', signedIn({ method: 'POST', headers, body }))
      expect([answer.status, arrived?.bodyBytes()]).toEqual([200, body.length])
      await expectRefusal(
        '/api/upload',
        { method: 'POST', headers: { ...ownFetch, ...headers }, body },
        [401],
      )
      const foreign = { cookie, 'sec-fetch-site': 'cross-site', ...headers }
      await expectRefusal('/api/upload', { method: 'POST', headers: foreign, body }, [403])
    })

    it('a WebSocket of our own page connects with the token; of others, or without a session, it does not', async () => {
      world.app.onWebSocket((socket) => socket.on('message', (data) => socket.send(String(data))))
      const connect = (headers: Readonly<Record<string, string>>): WebSocket => {
        const place = { ca: world.ca, servername: world.serverName }
        const options = { ...place, headers: { host: world.serverName, ...headers } }
        return new WebSocket(`wss://127.0.0.1:${world.port}/api/socket`, options)
      }
      const arrived = world.app.next()
      const socket = connect({ origin: world.origin, cookie })
      await once(socket, 'open')
      expect(valuesOf(await arrived, 'authorization')).toEqual([expect.stringMatching(/^Bearer eyJ/)])
      expect(valuesOf(await arrived, 'cookie').join('')).toBe('')
      socket.send('hello')
      expect(String((await once(socket, 'message'))[0])).toBe('hello')
      socket.close()
      await once(socket, 'close')
      const before = world.app.requests.length
      for (const [headers, status] of [
        [{ origin: world.origin }, 401],
        [{ origin: 'https://evil.example', cookie }, 403],
        [{ cookie }, 403],
        [{ ...navigation('cross-site'), origin: 'https://evil.example', cookie }, 403],
      ] as const) {
        const refused = connect(headers)
        const [, answer] = await once(refused, 'unexpected-response')
        expect([headers, answer.statusCode]).toEqual([headers, status])
      }
      // A request that only looks like a handshake is judged as one, and carried as what it is.
      await expectRefusal('/api/x', { headers: { ...handshake('https://evil.example'), cookie } }, [403])
      expect(world.app.requests.length).toBe(before)
    })

    it('a page leads to the login, back, and past the first request of the way back', async () => {
      const uri = '/reports/1?x=1&y=%2F'
      const led = await expectRefusal(uri, { headers: navigation('none') }, [303])
      const location = new URL(String(led.headers.location))
      expect([location.origin, location.pathname]).toEqual([world.origin, '/auth/login'])
      const { cookie: own, landed } = await world.signIn(`${location.pathname}${location.search}`)
      expect(landed).toBe(uri)
      // The browser withholds a Strict cookie from a navigation that another site began.
      const back = await expectRefusal(uri, { headers: navigation('cross-site') }, [401])
      expect(back.text).toContain(`href="${world.origin}/reports/1?x=1&amp;y=%2F"`)
      const { answer, arrived } = await carry(uri, { headers: { ...navigation('same-origin'), cookie: own } })
      expect([answer.status, arrived?.target]).toEqual([200, uri])
    })

    it('a logout ends it at once', async () => {
      const { cookie: own } = await world.signIn()
      expect((await carry('/api/x', signedIn({ headers: { cookie: own } }))).answer.status).toBe(200)
      const left = await world.send('/auth/logout', { method: 'POST', headers: { ...ownFetch, cookie: own } })
      expect(left.status).toBe(303)
      await expectRefusal('/api/x', { headers: { ...ownFetch, cookie: own } }, [401])
    })

    it("the check itself and the gateway's other paths are not to be had from outside", async () => {
      for (const path of [
        '/check',
        '/check/redirect',
        '/_coatcheck',
        '/auth/check',
        '/auth/../check',
        '/livez',
      ])
        for (const headers of [
          { ...ownFetch, cookie, ...forged },
          { ...navigation('same-origin'), cookie },
        ]) {
          const { answer } = await carry(path, { headers })
          expect(JSON.stringify(answer.headers), `${name} ${path}`).not.toContain('Bearer')
        }
    })
  })
})
