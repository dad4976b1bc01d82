import { createServer, type Server } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Gate, startGate } from './gate.ts'

describe('the gate', () => {
  let server: Server
  let gate: Gate
  let seen = 0

  beforeAll(async () => {
    server = createServer((request, response) => {
      seen += 1
      response.end(`${request.method} ${request.url} for ${request.headers.host}`)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    gate = await startGate({ targetPort: address !== null && typeof address === 'object' ? address.port : 0 })
  })
  afterAll(async () => {
    await gate.down()
    server.close()
  })

  const ask = async (path: string) => (await fetch(`${gate.origin}${path}`)).text()

  test('passes requests with the host that they were meant for', async () => {
    expect(await ask('/a?b=c')).toBe(`GET /a?b=c for 127.0.0.1:${gate.port}`)
    expect(gate.passed.at(-1)).toMatchObject({ path: '/a', target: '/a?b=c', status: 200 })
  })

  test('holds a request before the server sees it', async () => {
    const hold = gate.hold('/held')
    const before = seen
    const answer = ask('/held')
    await hold.arrived
    expect(seen).toBe(before)
    hold.release()
    expect(await answer).toContain('/held')
  })

  test('holds an answer that the server has given', async () => {
    const hold = gate.hold('/answered', 'response')
    const before = seen
    const answer = ask('/answered')
    await hold.arrived
    expect(seen).toBe(before + 1)
    hold.release()
    expect(await answer).toContain('/answered')
  })

  test('drops what it holds, and never tells the server', async () => {
    const hold = gate.hold('/dropped')
    const before = seen
    const answer = ask('/dropped')
    const failure = expect(answer).rejects.toThrow()
    await hold.arrived
    hold.drop()
    await failure
    expect(seen).toBe(before)
    expect(await ask('/dropped')).toContain('/dropped')
  })

  test('answers in the place of the server until told otherwise', async () => {
    const stop = gate.answer('/mine', 503, { error: 'busy' })
    const answer = await fetch(`${gate.origin}/mine`)
    expect(answer.status).toBe(503)
    expect(await answer.json()).toEqual({ error: 'busy' })
    stop()
    expect(await ask('/mine')).toContain('/mine')
  })

  test('is down, and up again', async () => {
    await gate.down()
    await expect(ask('/x')).rejects.toThrow()
    await gate.up()
    expect(await ask('/x')).toContain('/x')
  })
})
