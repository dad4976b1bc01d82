import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RoutedGateway, startRoutedGateway } from '../../support/gateway/routed-gateway.ts'

let gateway: RoutedGateway
let twice: Record<string, string>
let once: Record<string, string>
beforeAll(async () => {
  gateway = await startRoutedGateway()
  const [name] = gateway.cookie.split('=')
  const headers = { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' }
  once = { ...headers, cookie: gateway.cookie }
  // As a browser sends a cookie that another port of this host has planted.
  twice = { ...headers, cookie: `${name}=planted; ${gateway.cookie}` }
})
afterAll(() => gateway?.stop())

const named = /two cookies named coatcheck-\d+, .*another host of this domain, or another port/

describe('a second cookie of our name', () => {
  test.each([
    ['GET', '/api/x'],
    ['GET', '/sessions'],
    ['DELETE', '/sessions'],
  ])('is named where it keeps a user out: %s %s', async (method, path) => {
    const answer = await fetch(gateway.origin + path, { method, headers: twice })
    expect(answer.status).toBe(401)
    const problem = (await answer.json()) as { code: string; detail: string }
    expect(problem).toMatchObject({ code: 'session_missing', detail: expect.stringMatching(named) })
    expect(problem.detail).not.toContain('planted')
  })

  test('is named to the page that asks who is signed in, and in the log', async () => {
    const asked = await fetch(`${gateway.origin}/session`, { headers: twice })
    expect(await asked.json()).toEqual({
      authenticated: false,
      loginUrl: '/login',
      detail: expect.stringMatching(named),
    })
  })

  test('ends nothing: without it the session goes on', async () => {
    const asked = await fetch(`${gateway.origin}/session`, { headers: once })
    expect(await asked.json()).toMatchObject({ authenticated: true })
    const nobody = await fetch(`${gateway.origin}/session`, { headers: { ...once, cookie: '' } })
    expect(await nobody.json()).toEqual({ authenticated: false, loginUrl: '/login' })
  })
})
