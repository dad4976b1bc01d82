import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { claimsOf } from '../../support/api/proof-verifier.ts'
import { type Answer, exchange } from '../../support/exchange.ts'
import { type RunningGateway, startGateway } from '../../support/gateway/gateway.ts'
import { type ScriptedProvider, startScriptedProvider } from '../../support/provider/scripted-provider.ts'
import { sessionCookieOf } from '../../support/worlds/scripted-pair.ts'

/** A request as its bytes came. */
interface Call {
  readonly target: string
  readonly head: string
  /** The claims of its proof. */
  readonly claims: Readonly<Record<string, unknown>>
  readonly isUpgrade: boolean
}

let provider: ScriptedProvider
let gateway: RunningGateway
let cookie: string
const calls: Call[] = []
/** What the API writes, byte by byte; latin1. What stands behind the empty line comes a moment later. */
let behave: (call: Call) => string
/** Longer than an answer takes that comes meanwhile, milliseconds. */
const momentMs = 20

const answer = (status: string, ...lines: readonly string[]) =>
  [`HTTP/1.1 ${status}`, 'content-length: 0', ...lines, '', ''].join('\r\n')
const challenge = 'www-authenticate: DPoP error="use_dpop_nonce"'
const refusal = (...lines: readonly string[]) => answer('401 Unauthorized', challenge, ...lines)
/** While its body comes, other answers bring other nonces. */
const slowRefusal = (...lines: readonly string[]) =>
  ['HTTP/1.1 401 Unauthorized', 'content-length: 4', challenge, ...lines, '', 'body'].join('\r\n')
const ok = (...lines: readonly string[]) => answer('200 OK', ...lines)

/** Of a proof that is none, its text. */
function readClaims(proof: string | undefined): Readonly<Record<string, unknown>> {
  try {
    return proof === undefined ? {} : claimsOf(proof)
  } catch {
    return { unreadable: proof }
  }
}

const open = new Set<Socket>()
const api = createServer((socket) => {
  open.add(socket)
  socket.on('close', () => open.delete(socket)).on('error', () => undefined)
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk
    const end = text.indexOf('\r\n\r\n')
    if (end === -1) return
    const head = text.slice(0, end)
    text = text.slice(end + 4)
    const proof = /^dpop: (\S+)$/im.exec(head)?.[1]
    const call: Call = {
      target: head.split(' ')[1] ?? '',
      head,
      claims: readClaims(proof),
      isUpgrade: /^upgrade:/im.test(head),
    }
    calls.push(call)
    const written = behave(call)
    const bodyAt = written.indexOf('\r\n\r\n') + 4
    socket.write(written.slice(0, bodyAt), 'latin1')
    if (bodyAt < written.length) setTimeout(() => socket.write(written.slice(bodyAt), 'latin1'), momentMs)
  })
})

beforeAll(async () => {
  provider = await startScriptedProvider()
  provider.faults.dpop = { isOptional: true }
  await once(api.listen(0, '127.0.0.1'), 'listening')
  gateway = await startGateway({
    ISSUER_URL: provider.issuer,
    CLIENT_ID: provider.clientId,
    CLIENT_SECRET: provider.clientSecret,
    API_AUDIENCE: provider.audience,
    API_URL: `http://127.0.0.1:${(api.address() as AddressInfo).port}`,
    BASE_URL: 'https://app.example.test',
    SESSION_SECRET: 'session-secret-of-hostile-nonces-0123456789',
    SESSION_STORE: 'memory',
    TOKEN_BINDING: 'dpop',
  })
  const begun = await call('/login', {})
  const query = provider.approve(new URL(begun.headers.location ?? ''))
  const transaction = begun.setCookies[0]?.split(';')[0] ?? ''
  cookie = sessionCookieOf(await call(`/callback?${query}`, { cookie: transaction })) ?? ''
})
beforeEach(() => {
  calls.length = 0
  behave = () => ok()
})
afterAll(async () => {
  await gateway.stop()
  for (const socket of open) socket.destroy()
  api.close()
  await provider.stop()
})

function call(path: string, headers: Readonly<Record<string, string>> = { cookie }): Promise<Answer> {
  const address = { host: '127.0.0.1', port: gateway.port }
  const url = new URL(path, 'https://app.example.test')
  return exchange({ method: 'GET', url, address, headers: { 'x-csrf': '1', ...headers } })
}

/** Opens a WebSocket, and resolves to `open` or the status of its refusal. */
function openSocket(): Promise<string> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/api/socket`, {
      headers: { cookie, host: 'app.example.test', origin: 'https://app.example.test' },
    })
    socket.on('open', () => resolve('open'))
    socket.on('unexpected-response', (_request, { statusCode }) => resolve(`${statusCode}`))
    socket.on('error', (error) => resolve(error.message))
  })
}

const nonces = () => calls.map(({ claims }) => claims.nonce)
let turn = 0
const fresh = () => {
  turn += 1
  return `fresh-${turn}`
}

describe('what an API calls a nonce', () => {
  const learned = async (line: string): Promise<unknown> => {
    const known = fresh()
    behave = () => ok(`dpop-nonce: ${known}`)
    await call('/api/x')
    behave = () => ok(line)
    const passed = await call('/api/x')
    expect(passed.headers).not.toHaveProperty('dpop-nonce')
    behave = () => ok()
    await call('/api/x')
    const last = calls.at(-1)?.claims.nonce
    return last === known ? 'not taken' : last
  }

  it.each([
    ['empty', 'dpop-nonce:'],
    ['several words', 'dpop-nonce: a b'],
    ['not ASCII', 'dpop-nonce: \xe9\xe9'],
    ['a tab', 'dpop-nonce: a\tb'],
    ['DEL', 'dpop-nonce: a\x7fb'],
    ['longer than is kept', `dpop-nonce: ${'n'.repeat(1_025)}`],
    ['ten kilobytes', `dpop-nonce: ${'n'.repeat(10_000)}`],
    ['of another name', 'dpop_nonce: abc'],
    ['of a longer name', 'dpop-nonce-x: abc'],
  ])('is not taken when it is %s', async (_what, line) => {
    expect(await learned(line)).toBe('not taken')
  })

  it.each([
    ['quotes and backslashes', '"\\",\\"htu\\":\\"https://evil.example\\",\\"x\\":\\"'],
    ['what ends a claim', '","htu":"https://evil.example","jti":"x'],
    ['what a header is made of', 'a:b;c,d="e"'],
    ['an escape', '\\u0000\\n'],
  ])('stays one claim when it is made of %s', async (_what, nonce) => {
    expect(await learned(`DPOP-NONCE: ${nonce}`)).toBe(nonce)
    const { claims = {}, head = '' }: Partial<Call> = calls.at(-1) ?? {}
    expect(Object.keys(claims).sort()).toEqual(['ath', 'htm', 'htu', 'iat', 'jti', 'nonce'])
    expect(String(claims.htu)).not.toContain('evil')
    expect(head).not.toContain('evil')
  })

  it('and what HTTP does not allow costs that answer, and nothing after it', async () => {
    for (const line of [`dpop-nonce: ${'n'.repeat(65_536)}`, 'dpop-nonce: a\0b', 'dpop-nonce: a\nx: y\r']) {
      behave = () => ok(line)
      expect([200, 502]).toContain((await call('/api/x')).status)
      behave = () => refusal(line)
      expect([502, 503]).toContain((await call('/api/x')).status)
      behave = () => ok()
      expect((await call('/api/x')).status).toBe(200)
    }
  })

  it('may be asked for and be none that can be sent: one repetition', async () => {
    for (const line of ['dpop-nonce: \xe9', `dpop-nonce: ${'n'.repeat(2_000)}`, 'x: y']) {
      behave = () => refusal(line)
      const refused = await call('/api/x')
      expect([refused.status, refused.json<{ code: string }>().code]).toEqual([503, 'upstream_nonce'])
      expect(calls).toHaveLength(2)
      calls.length = 0
      expect(await openSocket()).toBe('503')
      expect(calls).toHaveLength(2)
      calls.length = 0
    }
  })
})

describe('an API whose every nonce is good once', () => {
  /** Refuses a proof whose nonce is not one that it has named and not yet seen. */
  const onceEach = (): typeof behave => {
    const named = new Set<string>()
    return ({ claims, isUpgrade }) => {
      const next = fresh()
      const isGood = named.delete(String(claims.nonce))
      named.add(next)
      if (!isGood) return refusal(`dpop-nonce: ${next}`)
      return isUpgrade ? answer('403 Forbidden', `dpop-nonce: ${next}`) : ok(`dpop-nonce: ${next}`)
    }
  }

  it('answers one request after another at the first try, once it has named one', async () => {
    behave = onceEach()
    for (let round = 0; round < 5; round += 1) expect((await call('/api/x')).status).toBe(200)
    expect(calls).toHaveLength(6)
  })

  it('asks twenty that come together once more each, and no request twice', async () => {
    behave = onceEach()
    const statuses = await Promise.all(Array.from({ length: 20 }, (_, at) => call(`/api/${at}`)))
    expect(new Set(statuses.map(({ status }) => status))).toEqual(new Set([200]))
    for (let at = 0; at < 20; at += 1) {
      const mine = calls.filter(({ target }) => target === `/${at}`)
      expect(mine.length).toBeLessThanOrEqual(2)
      expect(new Set(mine.map(({ claims }) => claims.jti)).size).toBe(mine.length)
    }
    expect(calls.length).toBeGreaterThan(20)
  })

  it('lets a WebSocket through to its own answer at the second try', async () => {
    await call('/api/x')
    calls.length = 0
    behave = onceEach()
    expect(await openSocket()).toBe('403')
    expect(nonces()).toHaveLength(2)
    expect((await call('/api/x')).status).toBe(200)
    expect(calls).toHaveLength(3)
  })

  it('that never takes one is asked twice by each of twenty, all of which are told to come again', async () => {
    behave = () => refusal(`dpop-nonce: ${fresh()}`)
    const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => call(`/api/${at}`)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]))
    expect(new Set(answers.map(({ headers }) => headers['retry-after']))).toEqual(new Set(['1']))
    expect(calls).toHaveLength(40)
    expect((await call('/session')).json()).toMatchObject({ authenticated: true })
  })
})

describe('an API of two nodes at one address, each of which takes its own nonce alone', () => {
  it('is given the very nonce that it has asked for, whatever else has come meanwhile', async () => {
    const own = [fresh(), fresh()]
    behave = ({ claims, target }) => {
      const nonce = own[Number(target.slice(1)) % 2]
      return claims.nonce === nonce ? ok() : slowRefusal(`dpop-nonce: ${nonce}`)
    }
    for (let round = 0; round < 3; round += 1) {
      calls.length = 0
      const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => call(`/api/${at}`)))
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
      expect(calls.length).toBeLessThanOrEqual(40)
    }
  })
})

describe('names of hop, sent by a browser', () => {
  it.each(['dpop', 'DPoP, close', 'authorization, dpop', 'keep-alive, x-csrf, dpop, authorization'])(
    'take nothing from what we send: connection: %s',
    async (connection) => {
      const headers = { cookie, connection, dpop: 'theirs', authorization: 'DPoP theirs' }
      expect((await call('/api/x', headers)).status).toBe(200)
      const { head = '' } = calls.at(-1) ?? {}
      expect(head.match(/^dpop: /gim)).toHaveLength(1)
      expect(head.match(/^authorization: DPoP \S/gim)).toHaveLength(1)
      expect(head).not.toMatch(/theirs|^connection:.*dpop/im)
    },
  )

  it('and by an API, hide no nonce', async () => {
    const nonce = fresh()
    behave = () => ok('connection: dpop-nonce', `dpop-nonce: ${nonce}`)
    expect((await call('/api/x')).headers).not.toHaveProperty('dpop-nonce')
    behave = () => ok()
    await call('/api/x')
    expect(nonces().at(-1)).toBe(nonce)
  })
})
