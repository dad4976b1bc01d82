import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { main } from '../../src/commands/main.ts'
import { eventually } from '../support/eventually.ts'
import { type RedisServer, startRedis } from '../support/redis/redis.ts'
import {
  type FrontendName,
  frontendNames,
  ownFetch,
  startHouse,
  type TestHouse,
} from '../support/worlds/house.ts'

let redis: RedisServer
let world: TestHouse
beforeAll(async () => {
  redis = await startRedis()
  world = await startHouse({ env: { REDIS_URL: redis.url, RATE_LIMIT: 'off' } })
})
afterAll(async () => {
  await world.stop()
  await redis.stop()
})

async function run(line: string, env: Readonly<Record<string, string>> = world.env) {
  const printed: string[] = []
  const complained: string[] = []
  const code = await main({
    arguments: line.split(' '),
    readEnv: () => env,
    print: (text) => printed.push(text),
    complain: (text) => complained.push(text),
    isTerminal: false,
  })
  return { code, printed: printed.join('\n'), complained: complained.join('\n') }
}

const isSignedIn = async (name: FrontendName, cookie: string): Promise<unknown> =>
  (await world.ask(name, '/session', { headers: { cookie, ...ownFetch } })).json().authenticated

describe('coatcheck sessions --frontend', () => {
  it('lists and ends sessions of that frontend alone, and says whose in the audit', async () => {
    const cookies = { shop: await world.signIn('shop'), desk: await world.signIn('desk') }
    const listed = await run('sessions list --json --frontend desk')
    expect(listed.code).toBe(0)
    expect(listed.printed.trim().split('\n')).toHaveLength(1)
    const revoked = await run('sessions revoke --all --json --frontend=desk')
    expect(JSON.parse(revoked.printed)).toMatchObject({ ended: 1 })
    const event = JSON.parse(revoked.complained)
    expect(event).toMatchObject({ audit: 'session.ended', cause: 'operator', frontend: 'desk' })
    await eventually(async () => expect(await isSignedIn('desk', cookies.desk)).toBe(false))
    expect(await isSignedIn('shop', cookies.shop)).toBe(true)
  })

  it('by a reference of another frontend ends nothing', async () => {
    const shop = await world.signIn('shop')
    const { printed } = await run('sessions list --json --frontend shop')
    const [{ ref }] = printed
      .trim()
      .split('\n')
      .map((one) => JSON.parse(one)) as [{ ref: string }]
    expect(ref).toBeDefined()
    await run(`sessions revoke --ref ${ref} --frontend till`)
    expect(await isSignedIn('shop', shop)).toBe(true)
  })

  it.each([
    ['sessions revoke --all', 1, 'say which with --frontend: shop, desk, till'],
    [
      'sessions revoke --all --frontend cellar',
      1,
      'there is no frontend \\"cellar\\"; there are shop, desk, till',
    ],
    ['sessions list --frontend', 2, '--frontend takes the name of one frontend'],
    ['sessions list --frontend shop --frontend desk', 2, '--frontend takes the name of one frontend'],
    ['sessions list --frontend=', 2, '--frontend takes the name of one frontend'],
  ])('%s ends with %i and says why', async (line, code, problem) => {
    const outcome = await run(line)
    expect(outcome.code).toBe(code)
    expect(JSON.stringify(outcome.complained)).toContain(problem)
  })

  it('needs a frontends file', async () => {
    const { FRONTENDS_FILE: _, ...env } = world.env
    const { code, complained } = await run('sessions list --frontend shop', env)
    expect(code).toBe(1)
    expect(complained).toContain('--frontend needs FRONTENDS_FILE')
  })
})

describe('coatcheck config', () => {
  it('shows the settings of each frontend, or of one, and no secret', async () => {
    const all = await run('config')
    expect(all.code).toBe(0)
    const titles = [...all.printed.matchAll(/^## Frontend (\w+)$/gm)].map(([, name]) => name)
    expect(titles).toEqual(frontendNames)
    const one = await run('config --frontend till')
    expect(one.printed).toContain('## Frontend till')
    expect(one.printed).not.toContain('shop')
    expect(one.printed).toContain(`https://internal.example.test/till/callback`)
    for (const { clientSecret } of Object.values(world.providers))
      expect(all.printed).not.toContain(clientSecret)
    expect(all.printed).not.toContain(world.env.SESSION_SECRET)
  })
})

describe('coatcheck doctor', () => {
  it('examines all, or one, and fails when one fails', async () => {
    const all = JSON.parse((await run('doctor --json')).printed)
    expect(Object.keys(all.frontends)).toEqual(frontendNames)
    const one = JSON.parse((await run('doctor --json --frontend desk')).printed)
    expect(Object.keys(one.frontends)).toEqual(['desk'])
    expect(one.ok).toBe(one.frontends.desk.ok)
    expect(all.ok).toBe(frontendNames.every((name) => all.frontends[name].ok))
  })
})
