import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { buildGateway, navigationHeaders, sessionCookie, type TestGateway } from '../support/gateway.ts'

let gateway: TestGateway
beforeEach(async () => {
  gateway = await buildGateway({ responseMode: 'form_post' })
  await gateway.app.listen({ port: 0, host: '127.0.0.1' })
})
afterEach(() => gateway.app.close())

async function begin() {
  const answer = await gateway.app.inject({ url: '/login?returnTo=/orders', headers: navigationHeaders })
  const { name, value } = answer.cookies[0] ?? { name: '', value: '' }
  return { state: gateway.provider.begun.at(-1)?.state ?? '', cookie: `${name}=${value}` }
}

interface Answer {
  readonly statusCode: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Over a real connection: a body that is answered before it was read needs one. */
async function post(
  body: string,
  { url = '/callback', cookie = '', type = 'application/x-www-form-urlencoded', to = gateway } = {},
): Promise<Answer> {
  const { port } = to.app.server.address() as AddressInfo
  const headers = { ...navigationHeaders, host: 'app.example', 'content-type': type, cookie }
  const sent = request({ port, host: '127.0.0.1', method: 'POST', path: url, headers, agent: false })
  sent.end(body)
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of answer.setEncoding('utf8')) text += chunk
  return { statusCode: answer.statusCode ?? 0, headers: answer.headers, body: text }
}

describe('POST /callback', () => {
  it('without a cookie answers a page that posts the same fields from our own origin, marked', async () => {
    const { state } = await begin()
    const answer = await post(`code=a%22b%3C&state=${state}&iss=https%3A%2F%2Fissuer.example%2F`)
    expect(answer.statusCode).toBe(200)
    expect(answer.body).toContain('<form method="post" action="/callback?reposted">')
    expect(answer.body).toContain('<input type="hidden" name="code" value="a&quot;b&lt;">')
    expect(answer.body).toContain(`<input type="hidden" name="state" value="${state}">`)
    expect(answer.body).toContain('<button>Continue</button>')
    const script = /<script>(.*?)<\/script>/.exec(answer.body)?.[1] ?? ''
    const hash = createHash('sha256').update(script).digest('base64')
    expect(answer.headers['content-security-policy']).toContain(`script-src 'sha256-${hash}'`)
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(answer.headers['set-cookie']).toBeUndefined()
    expect(gateway.provider.calls).toEqual(['beginLogin'])
  })

  it('with the cookie, at the first or the second post, completes the login', async () => {
    for (const url of ['/callback?reposted', '/callback']) {
      const { state, cookie } = await begin()
      const answer = await post(`code=c&state=${state}`, { url, cookie })
      expect(answer.statusCode).toBe(303)
      expect(answer.headers.location).toBe('/orders')
      expect(`${answer.headers['set-cookie']}`).toContain(`${sessionCookie}=`)
    }
  })

  it('never loops: a marked post without a cookie is refused', async () => {
    const { state } = await begin()
    const answer = await post(`code=c&state=${state}`, { url: '/callback?reposted' })
    expect(answer.statusCode).toBe(400)
    expect(answer.body).toContain('login_state_invalid')
  })

  it('keeps the words of an error that names no login', async () => {
    const { cookie } = await begin()
    await post('error=invalid_scope&error_description=no+such+scope', { url: '/callback?reposted', cookie })
    expect(gateway.audited.at(-1)).toMatchObject({
      code: 'login_state_invalid',
      providerError: 'invalid_scope',
      providerErrorDescription: 'no such scope',
    })
  })

  it.each([
    ['a field twice', 'code=a&code=b&state=x'],
    ['too many fields', Array.from({ length: 33 }, (_, at) => `f${at}=x`).join('&')],
    ['bytes that are no form', 'code=ä&state=x'],
  ])('refuses %s', async (_name, body) => {
    expect((await post(body)).statusCode).toBe(400)
  })

  it('refuses what is no form, and what is too large', async () => {
    const json = await post('{}', { type: 'application/json' })
    expect(json.statusCode).toBe(415)
    expect((await post(`code=${'c'.repeat(9_000)}`)).statusCode).toBe(413)
  })

  it('is the only way then: an answer in the address is refused, and its transaction spent', async () => {
    const { state, cookie } = await begin()
    const answer = await gateway.app.inject({
      url: `/callback?code=c&state=${state}`,
      headers: { ...navigationHeaders, cookie },
    })
    expect(answer.statusCode).toBe(400)
    expect(answer.body).toContain('login_refused')
    expect(answer.headers['set-cookie']).toMatch(/Max-Age=0/)
    expect(gateway.provider.calls).not.toContain('completeLogin')
  })

  it('is not there unless it was asked for', async () => {
    const other = await buildGateway()
    await other.app.listen({ port: 0, host: '127.0.0.1' })
    expect((await post('code=c', { to: other })).statusCode).toBe(405)
    await other.app.close()
  })
})
