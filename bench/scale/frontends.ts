/**
 * A thousand frontends: `node bench/scale/frontends.ts [rounds]`. How much later than with one a process listens, and what it holds when a hundred
 * of them have been used. Every frontend has an issuer of its own.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startRedis } from '../../test/support/redis/redis.ts'
import { residentMb } from '../arena/proc-stat.ts'
import { cores, pin } from '../arena/processes.ts'
import { hostOf, startHouse } from '../peers/house.ts'
import { median } from '../report/statistics.ts'
import { table } from '../report/table.ts'

const rounds = Number(process.argv[2] ?? 5)
const configured = 1_000
const used = 100
const settledMs = 5_000

/** Providers of any number, as far as they are looked at before a login. */
const providers = createServer((asked, answer) => {
  const issuer = `${origin}${(asked.url ?? '').replace(/\/\.well-known\/.*$/, '')}`
  const metadata = {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/jwks`,
    id_token_signing_alg_values_supported: ['RS256'],
  }
  answer.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(metadata))
})
await new Promise<void>((resolve) => providers.listen(0, '127.0.0.1', resolve))
const origin = `http://127.0.0.1:${(providers.address() as AddressInfo).port}`
const redis = await startRedis()
const folder = await mkdtemp(join(tmpdir(), 'coatcheck-frontends-'))
const world = { folder, redisUrl: redis.url, upstreamUrl: origin, nodeOptions: [] }
const namesOf = (count: number): readonly string[] => Array.from({ length: count }, (_, at) => `shop${at}`)
const startWith = (count: number) =>
  startHouse(world, { names: namesOf(count), issuerOf: (name) => `${origin}/${name}` })

/** Resolves to the status. */
function ask(port: number, name: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { host: hostOf(name), 'sec-fetch-site': 'same-origin' }
    request({ port, path, headers }, (answer) => {
      answer.resume().once('end', () => resolve(answer.statusCode ?? 0))
    })
      .once('error', reject)
      .end()
  })
}

async function startingMs(count: number): Promise<number> {
  const startedMs = performance.now()
  const house = await startWith(count)
  const tookMs = performance.now() - startedMs
  await house.stop()
  return tookMs
}

async function residentMbs(): Promise<readonly number[]> {
  const house = await startWith(configured)
  try {
    await new Promise((resolve) => setTimeout(resolve, settledMs))
    const held = [residentMb(house.pid)]
    for (const name of namesOf(used)) {
      const status = await ask(house.port, name, '/session')
      if (status !== 200) throw new Error(`${name} answers ${status}`)
    }
    await new Promise((resolve) => setTimeout(resolve, settledMs))
    return [...held, residentMb(house.pid)]
  } finally {
    await house.stop()
  }
}

try {
  pin(cores.rest, process.pid)
  pin(cores.rest, redis.process.pid ?? 0)
  const counts = [1, configured] as const
  const times = new Map(counts.map((count): [number, number[]] => [count, []]))
  for (let round = 0; round < rounds; round += 1) {
    for (const count of counts) times.get(count)?.push(await startingMs(count))
  }
  const [oneMs = Number.NaN, allMs = Number.NaN] = counts.map((count) => median(times.get(count) ?? []))
  const [unusedMb = Number.NaN, usedMb = Number.NaN] = await residentMbs()
  const rows = [
    ['listening with 1', `${oneMs.toFixed(0)} ms`],
    [`listening with ${configured}`, `${allMs.toFixed(0)} ms`],
    ['later by', `${(allMs - oneMs).toFixed(0)} ms`],
    ['resident, none used', `${unusedMb.toFixed(0)} MB`],
    [`resident, ${used} used`, `${usedMb.toFixed(0)} MB`],
  ]
  process.stdout.write(table([`${configured} frontends, median of ${rounds} starts`, ''], rows))
} finally {
  providers.close()
  providers.closeAllConnections()
  await redis.stop()
  await rm(folder, { recursive: true, force: true })
}
