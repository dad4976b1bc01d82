import { randomBytes } from 'node:crypto'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../test/support/ports.ts'
import { writeReadySessions } from '../../test/support/worlds/ready-sessions.ts'
import { type BenchProcess, cores, start } from '../arena/processes.ts'
import { lifetimeSeconds, makeToken } from '../arena/world.ts'
import { cliPath } from './cli.ts'
import type { World } from './gateway.ts'

/** What the file says of a frontend. */
type Written = Readonly<Record<string, unknown>>

/** What the frontends of a process are. */
export interface HouseOptions {
  readonly names: readonly string[]
  readonly issuerOf: (name: string) => string
  /** What the file says of each beyond the usual; with `routes` in the place of the one API. */
  readonly settingsOf?: (name: string) => Written
  /** The command line of another tree. */
  readonly cli?: string | undefined
  /** Settings of the process beyond the usual ones. */
  readonly env?: Readonly<Record<string, string>>
}

/** A process of several frontends. */
export interface BenchHouse extends BenchProcess {
  readonly port: number
  /** The frontends file. */
  readonly file: string
  /** What {@link BenchHouse.file} was written from. */
  readonly frontends: Readonly<Record<string, Written>>
  /** Sessions of a frontend, as logins would have left them; the `cookie` header of each. */
  signIn(name: string, count: number, accessTokenMs?: number): Promise<readonly string[]>
}

const clientId = 'bench'
const audience = 'https://bench.example'
const tokenLengths = { access: 1_200, id: 900 } as const
const randomSecret = (): string => randomBytes(32).toString('base64url')

/** The host of a frontend. */
export const hostOf = (name: string): string => `${name}.bench.example`

/** Starts a process of these frontends, each of an origin of its own before the same API. */
export async function startHouse(
  world: Pick<World, 'folder' | 'redisUrl' | 'upstreamUrl' | 'nodeOptions'>,
  options: HouseOptions,
): Promise<BenchHouse> {
  const file = join(await mkdtemp(join(world.folder, 'house-')), 'frontends.json')
  const { names, issuerOf, env = {} } = options
  const frontends = Object.fromEntries(names.map((name) => [name, written(name, options, world)]))
  await writeFile(file, JSON.stringify({ frontends }))
  const [port, secret] = [await freePort(), randomSecret()]
  const running = await start({
    name: `${names.length} frontends`,
    file: process.execPath,
    args: [...world.nodeOptions, options.cli ?? cliPath, 'start'],
    core: cores.gateway,
    port,
    env: {
      FRONTENDS_FILE: file,
      PORT: `${port}`,
      REDIS_URL: world.redisUrl,
      SESSION_SECRET: secret,
      LOG_LEVEL: 'fatal',
      DRAIN_DELAY: '0',
      ...env,
    },
  })
  return {
    ...running,
    port,
    file,
    frontends,
    async signIn(name, count, accessTokenMs) {
      const sessions = Array.from({ length: count }, newSession)
      const deployment = { redisUrl: world.redisUrl, secret, clientId, audience, frontend: name }
      const times = {
        lifetimeMs: lifetimeSeconds * 1_000,
        ...(accessTokenMs === undefined ? {} : { accessTokenMs }),
      }
      await writeReadySessions(sessions, { ...deployment, ...times, issuer: issuerOf(name) })
      return sessions.map(({ id }) => `__Host-Http-coatcheck-${name}=${id}`)
    },
  }
}

function written(
  name: string,
  { issuerOf, settingsOf = () => ({}) }: HouseOptions,
  { upstreamUrl }: Pick<World, 'upstreamUrl'>,
): Written {
  const own = settingsOf(name)
  return {
    BASE_URL: `https://${hostOf(name)}`,
    ISSUER_URL: issuerOf(name),
    CLIENT_ID: clientId,
    CLIENT_SECRET: 'a client secret of the benchmark',
    API_AUDIENCE: audience,
    SESSION_MAX_LIFETIME: `${lifetimeSeconds}`,
    ...('routes' in own ? {} : { API_URL: `${upstreamUrl}/api` }),
    ...own,
  }
}

function newSession() {
  return {
    id: randomSecret(),
    accessToken: makeToken(tokenLengths.access),
    idToken: makeToken(tokenLengths.id),
    refreshToken: randomSecret(),
  }
}
