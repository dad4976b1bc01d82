import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { csrfRefusal, handshakeRefusal } from '../../../src/http/guards/csrf-guard.ts'
import { buildGateway, type TestGateway } from '../support/gateway.ts'

const policy = { origin: 'https://app.example.com', headerRequired: false }
const strict = { ...policy, headerRequired: true }

describe('the CSRF rule', () => {
  it.each([
    [{ 'sec-fetch-site': 'same-origin' }],
    [{ 'sec-fetch-site': 'same-origin', origin: policy.origin }],
    [{ 'x-csrf': '1' }],
    [{ 'x-csrf': '1', origin: policy.origin }],
  ])('lets %j pass', (headers) => {
    expect(csrfRefusal(headers, policy)).toBeUndefined()
  })

  it.each([
    [{}, 'header_missing'],
    [{ 'x-csrf': '0' }, 'header_missing'],
    [{ 'x-csrf': '' }, 'header_missing'],
    [{ 'x-csrf': '1, 1' }, 'header_missing'],
    [{ 'x-csrf': 'true' }, 'header_missing'],
    [{ 'sec-fetch-site': 'same-site', 'x-csrf': '1' }, 'foreign_site'],
    [{ 'sec-fetch-site': 'cross-site', 'x-csrf': '1' }, 'foreign_site'],
    [{ 'sec-fetch-site': 'none', 'x-csrf': '1' }, 'typed_address'],
    [{ 'sec-fetch-site': '', 'x-csrf': '1' }, 'foreign_site'],
    [{ 'sec-fetch-site': 'SAME-ORIGIN' }, 'foreign_site'],
    [{ 'sec-fetch-site': 'same-origin, same-origin' }, 'foreign_site'],
    [{ 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' }, 'foreign_origin'],
    [{ 'sec-fetch-site': 'same-origin', origin: 'null' }, 'foreign_origin'],
    [{ 'sec-fetch-site': 'same-origin', origin: '' }, 'foreign_origin'],
    [{ 'sec-fetch-site': 'same-origin', origin: 'http://app.example.com' }, 'foreign_origin'],
    [{ 'sec-fetch-site': 'same-origin', origin: 'https://app.example.com:443' }, 'foreign_origin'],
    [{ 'sec-fetch-site': 'same-origin', origin: 'https://app.example.com/' }, 'foreign_origin'],
    [{ 'x-csrf': '1', origin: 'https://app.example.com, https://app.example.com' }, 'foreign_origin'],
  ])('refuses %j: %s', (headers, reason) => {
    expect(csrfRefusal(headers, policy)).toBe(reason)
  })

  it('asks for the header always where that is required', () => {
    expect(csrfRefusal({ 'sec-fetch-site': 'same-origin' }, strict)).toBe('header_missing')
    expect(csrfRefusal({ 'sec-fetch-site': 'same-origin', 'x-csrf': '1' }, strict)).toBeUndefined()
    expect(csrfRefusal({ 'sec-fetch-site': 'same-site', 'x-csrf': '1' }, strict)).toBe('foreign_site')
  })

  it('wants the exact origin of a WebSocket handshake, and no sign of another site', () => {
    expect(handshakeRefusal({ origin: policy.origin }, policy)).toBeUndefined()
    expect(handshakeRefusal({}, policy)).toBe('foreign_origin')
    expect(handshakeRefusal({ 'x-csrf': '1' }, policy)).toBe('foreign_origin')
    expect(handshakeRefusal({ origin: policy.origin, 'sec-fetch-site': 'same-site' }, policy)).toBe(
      'foreign_site',
    )
  })
})

describe('the guard on the wire', () => {
  let gateway: TestGateway
  afterEach(() => gateway.app.close())

  async function send(lines: readonly string[]): Promise<string> {
    gateway = await buildGateway()
    await gateway.app.listen({ host: '127.0.0.1', port: 0 })
    const address = gateway.app.server.address()
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.write([...lines, 'Host: app.example.com', 'Connection: close', '', ''].join('\r\n'))
      })
      let answer = ''
      socket.setEncoding('utf8')
      socket.on('data', (chunk) => (answer += chunk))
      socket.on('end', () => resolve(answer))
      socket.on('error', reject)
    })
  }

  it.each([
    [
      'a second Origin',
      ['Sec-Fetch-Site: same-origin', 'Origin: https://app.example.com', 'Origin: https://app.example.com'],
    ],
    ['an empty Origin', ['Sec-Fetch-Site: same-origin', 'Origin:']],
    ['a second Sec-Fetch-Site', ['Sec-Fetch-Site: same-origin', 'Sec-Fetch-Site: same-origin']],
    ['a second X-CSRF', ['X-CSRF: 1', 'X-CSRF: 1']],
    ['an empty Sec-Fetch-Site', ['Sec-Fetch-Site:', 'X-CSRF: 1']],
  ])('refuses %s before a session is read', async (_what, headers) => {
    const cookie = `Cookie: __Host-Http-coatcheck=${'A'.repeat(43)}`
    const answer = await send(['GET /session HTTP/1.1', ...headers, cookie])
    expect(answer).toMatch(/^HTTP\/1\.1 403 /)
    expect(answer).toContain('"code":"csrf_rejected"')
    expect(gateway.sessions.calls).toEqual([])
    expect(gateway.audited).toMatchObject([{ name: 'request.refused', code: 'csrf_rejected' }])
  })

  it.each([
    'GET http://app.example.com/session HTTP/1.1',
    'OPTIONS * HTTP/1.1',
    'GET http://evil.example/login HTTP/1.1',
  ])('answers the target of %j with 400', async (line) => {
    const answer = await send([line, 'X-CSRF: 1'])
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect(answer).toContain('"code":"request_target_rejected"')
  })

  it('lets a request of our own page pass', async () => {
    const answer = await send(['GET /session HTTP/1.1', 'Sec-Fetch-Site: same-origin'])
    expect(answer).toMatch(/^HTTP\/1\.1 200 /)
    expect(answer).toContain('{"authenticated":false,"loginUrl":"/login"}')
  })

  it('treats our cookie in two Cookie headers as none', async () => {
    const cookie = `Cookie: __Host-Http-coatcheck=${'A'.repeat(43)}`
    const answer = await send(['GET /sessions HTTP/1.1', 'Sec-Fetch-Site: same-origin', cookie, cookie])
    expect(answer).toContain('"code":"session_missing"')
    expect(gateway.sessions.calls).toEqual([])
  })
})
