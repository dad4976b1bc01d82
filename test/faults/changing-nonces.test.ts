import { Agent, request as sendRequest } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { changingNonces } from '../support/api/proof-verifier.ts'
import { type ProvingApi, startProvingApi } from '../support/api/proving-api.ts'
import { type ScriptedPair, type Side, startScriptedPair } from '../support/worlds/scripted-pair.ts'

let pair: ScriptedPair
let api: ProvingApi
const agent = new Agent({ keepAlive: true, maxSockets: 64 })
beforeAll(async () => {
  const keys: { current: () => ScriptedPair['provider']['publicKeys'] } = { current: () => [] }
  api = await startProvingApi(() => keys.current())
  pair = await startScriptedPair({
    TOKEN_BINDING: 'dpop',
    API_URL: api.url,
    CLIENT_AUTHENTICATION: 'client_secret_post',
  })
  keys.current = () => pair.provider.publicKeys
})
afterAll(async () => {
  agent.destroy()
  await pair.stop()
  await api.stop()
})

function call(side: Side, cookie: string, method: string, body: string | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = sendRequest({
      agent,
      host: '127.0.0.1',
      port: pair.gateways[side].port,
      method,
      path: `/api/${side}/${method}`,
      headers: { cookie, host: 'app.example.test', 'x-csrf': '1' },
    })
    request.on('response', (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (chunk) => {
        text += chunk
      })
      answer.on('end', () => resolve(answer.statusCode === 200 ? 'ok' : `${answer.statusCode} ${text}`))
    })
    request.on('error', reject).end(body)
  })
}

describe('a provider and an API that change their nonces every second, and still take the one before', () => {
  it('refuse nothing on 64 connections to two nodes, and ask each request at most once more', async () => {
    pair.provider.faults.dpop = { nonces: changingNonces(1_000, 'provider') }
    // Refreshed all the time.
    pair.provider.faults.token = (answer) => ({ body: { ...answer, expires_in: 1 } })
    api.behaviour.nonces = changingNonces(1_000, 'api')
    const cookies = await Promise.all(Array.from({ length: 8 }, (_, at) => pair.signIn(at % 2 === 0 ? 0 : 1)))
    const endsAtMs = Date.now() + 8_000
    const statuses = new Map<string, number>()
    let sent = 0
    const work = async (at: number): Promise<void> => {
      while (Date.now() < endsAtMs) {
        const cookie = cookies[at % cookies.length] ?? ''
        const [method, body] = at % 3 === 0 ? ['POST', 'x'.repeat(1_000)] : ['GET', undefined]
        const status = await call(at % 2 === 0 ? 0 : 1, cookie, method ?? 'GET', body)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        sent += 1
        // The nonces are what is tried, not the machine.
        await setTimeout(200)
      }
    }
    await Promise.all(Array.from({ length: 64 }, (_, at) => work(at)))
    expect([...statuses]).toEqual([['ok', sent]])
    const refused = api.calls.filter(({ fault }) => fault !== '')
    expect(new Set(refused.map(({ fault }) => fault))).toEqual(new Set(['use_dpop_nonce']))
    expect(api.calls.length - refused.length).toBe(sent)
    // Each second's change is learned from the first answers after it, not paid for by every request.
    expect(refused.length).toBeLessThan(sent / 4)
    expect(pair.provider.count('/token')).toBeGreaterThan(cookies.length)
  })
})
