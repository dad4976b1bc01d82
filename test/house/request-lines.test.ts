import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway/gateway-process.ts'
import { freePort } from '../support/ports.ts'
import { frontendUrls, send } from '../support/worlds/house.ts'

/** Of each group the last is asked last and left: they are put together one at a time, so that it waits for all others. */
const groups = ['a', 'b', 'c', 'd', 'e'].map((group) =>
  Array.from({ length: 12 }, (_, at) => [`${group}${at}`, `https://${group}${at}.example.test`] as const),
)

let folder: string
let gateway: GatewayProcess

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-lines-'))
  const file = join(folder, 'frontends.json')
  const common = { ISSUER_URL: 'http://127.0.0.1:9/', CLIENT_ID: 'c', CLIENT_SECRET: 's', API_AUDIENCE: 'a' }
  const frontends = Object.fromEntries(
    Object.entries({ ...frontendUrls, ...Object.fromEntries(groups.flat()) }).map(([name, BASE_URL]) => [
      name,
      { BASE_URL, ...common, API_URL: 'http://127.0.0.1:9' },
    ]),
  )
  await writeFile(file, JSON.stringify({ frontends }))
  gateway = await startGatewayProcess({
    FRONTENDS_FILE: file,
    PORT: `${await freePort()}`,
    SESSION_SECRET: 'a-secret-of-the-house-with-lines-0123456789abc',
    SESSION_STORE: 'memory',
    DRAIN_DELAY: '0',
  })
})
afterAll(async () => {
  await gateway.stop()
  await rm(folder, { recursive: true })
})

const linesOf = (path: string) => gateway.log().filter((line) => line.msg === 'request' && line.path === path)

/** Sends a request of which nobody reads the answer. */
async function begin(baseUrl: string, path: string): Promise<Socket> {
  const { host, pathname } = new URL(baseUrl)
  const target = `${pathname === '/' ? '' : pathname}${path}`
  const socket = connect(gateway.port, '127.0.0.1').on('error', () => undefined)
  await once(socket, 'connect')
  socket.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  return socket
}

it('every request has one line: probes, refusals, and requests whose browser leaves while their frontend is put together', async () => {
  const left: unknown[] = []
  // A busy machine may be late once or twice: then the answer was written before the browser had left.
  for (const group of groups) {
    if (left.includes(false)) break
    const path = `/${group[0]?.[0]}`
    const sockets = await Promise.all(group.map(([, url]) => begin(url, path)))
    // Answered between two of them, when all that was sent before has been read.
    expect((await send(gateway.port, '/between', { headers: { host: 'x.example' } })).status).toBe(421)
    sockets.at(-1)?.resetAndDestroy()
    await eventually(() => expect(linesOf(path)).toHaveLength(group.length))
    for (const socket of sockets) socket.destroy()
    const names = linesOf(path).map(({ frontend }) => String(frontend))
    expect(names.toSorted()).toEqual(group.map(([name]) => name).toSorted())
    const last = linesOf(path).find(({ frontend }) => frontend === group.at(-1)?.[0])
    left.push(last?.complete)
    // The answer may have been begun before the browser was seen to be gone.
    expect(last?.complete === true ? [404] : [404, 499]).toContain(last?.status)
  }
  expect(left).toContain(false)
  const host = { host: 'x.example' }
  const statuses = [
    (await send(gateway.port, '/livez?probe', { headers: host })).status,
    (await send(gateway.port, '/livez', { method: 'POST', headers: host })).status,
    (await send(gateway.port, '/readyz', { headers: host })).status,
    (await send(gateway.port, '/nobody', { headers: host })).status,
    (await send(gateway.port, '/here', { headers: { host: new URL(frontendUrls.shop).host } })).status,
  ]
  expect(statuses).toEqual([200, 405, 503, 421, 404])
  await eventually(() => expect(linesOf('/here')).toHaveLength(1))
  const facts = (path: string) =>
    linesOf(path).map(({ method, status, frontend, complete }) => ({ method, status, frontend, complete }))
  expect(facts('/livez')).toEqual([
    { method: 'GET', status: 200, complete: true },
    { method: 'POST', status: 405, complete: true },
  ])
  expect(facts('/readyz')).toEqual([{ method: 'GET', status: 503, complete: true }])
  expect(facts('/nobody')).toEqual([{ method: 'GET', status: 421, complete: true }])
  expect(facts('/here')).toEqual([{ method: 'GET', status: 404, frontend: 'shop', complete: true }])
})
