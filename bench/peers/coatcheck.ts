import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { startDemoProvider } from '../../src/dev/provider/provider.ts'
import { createSealer } from '../../src/sealing/sealer.ts'
import { createBoundValues } from '../../src/session/device/bound-values.ts'
import { hashSessionId } from '../../src/session/record/keys.ts'
import { startTestProvider } from '../../src/testing/testing.ts'
import { freePort } from '../../test/support/ports.ts'
import { writeReadySessions } from '../../test/support/worlds/ready-sessions.ts'
import { cores, start } from '../arena/processes.ts'
import { lifetimeSeconds, makeSessions, sessionCount } from '../arena/world.ts'
import { cliPath } from './cli.ts'
import type { Gateway, StartGateway, World } from './gateway.ts'

const audience = 'https://bench.example'
const clientId = 'bench'
/** Makes a caller's token as long as those of the sessions, 1.2 KB. */
const callerFillerLength = 500
const randomSecret = (): string => randomBytes(32).toString('base64url')

/** Settings beyond those of every run. */
type Settings = Readonly<Record<string, string>>

/** What is started: as the results name it, with some settings of its own, of this tree or another. */
interface Variant {
  readonly name: string
  readonly settings: Settings
  readonly cli: string
}

/** Coatcheck as its users start it, and sessions as logins would have left them. */
export function coatcheckWith(name: string, settings: Settings, cli = cliPath): StartGateway {
  return (world, port) => startCoatcheck(world, port, { name, settings, cli })
}

/** The same for callers that bring tokens of their own. */
export function coatcheckForBearers(name: string): StartGateway {
  return async (shared, port) => {
    const sub = 'bench'
    const filler = 'x'.repeat(callerFillerLength)
    const provider = await startTestProvider({
      audience,
      users: [{ sub }],
      accessTokenLifetime: lifetimeSeconds,
    })
    const origin = `http://127.0.0.1:${port}`
    const secrets = { CLIENT_SECRET: randomSecret(), SESSION_SECRET: randomSecret() }
    const places = { PORT: `${port}`, BASE_URL: origin, ISSUER_URL: provider.issuer }
    const world = { ...shared, sessions: [] }
    const settings = { ...usualSettings(shared), ...secrets, ...places, API_CALLERS: 'session,bearer' }
    const gateway = await startWith({ name, settings, cli: cliPath }, provider, world)
    const cookies = Array.from(
      { length: sessionCount },
      () => `Bearer ${provider.accessToken({ sub }, { filler })}`,
    )
    return { ...gateway, shows: 'Authorization', cookies }
  }
}

/** The same, asked by another proxy whether a request may pass. */
export function coatcheckAsked(name: string, settings: Settings): StartGateway {
  return async (world, port) => {
    const checkPort = await freePort()
    const asked = { ...settings, FORWARD_AUTH_PORT: `${checkPort}` }
    const gateway = await startCoatcheck(world, port, { name, settings: asked, cli: cliPath })
    return { ...gateway, checks: `http://127.0.0.1:${checkPort}` }
  }
}

async function startCoatcheck(
  shared: World,
  port: number,
  { name, settings, cli }: Variant,
): Promise<Gateway> {
  // All variants use one Redis, each under a secret of its own.
  const world = { ...shared, sessions: makeSessions() }
  const tls = behindTls(settings)
  const origin = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`
  const [clientSecret, secret] = [randomSecret(), randomSecret()]
  const clients = [{ clientId, clientSecret, baseUrl: origin }]
  const apis = [{ identifier: audience, permissions: [] }]
  const provider = await startDemoProvider({ clients, apis, users: [] })
  try {
    const { issuer } = provider
    const { redisUrl } = world
    const lifetimeMs = lifetimeSeconds * 1_000
    const isBound = settings.TOKEN_BINDING === 'dpop'
    const deviceJwk = tls?.deviceJwk
    const bound = { isBound, ...(deviceJwk === undefined ? {} : { deviceJwk }) }
    const deployment = { redisUrl, secret, issuer, clientId, audience, lifetimeMs, ...bound }
    await writeReadySessions(world.sessions, deployment)
    const secrets = { CLIENT_SECRET: clientSecret, SESSION_SECRET: secret }
    const places = { PORT: `${port}`, BASE_URL: origin, ISSUER_URL: issuer }
    const whole = { ...usualSettings(world), ...settings, ...secrets, ...places }
    const gateway = await startWith({ name, settings: whole, cli }, provider, world)
    return tls === undefined ? gateway : tls.carry(gateway, world, secret)
  } catch (error) {
    await provider.stop()
    throw error
  }
}

/** A gateway with TLS before it, whose browsers come with a cookie for their device where sessions are bound; `undefined` without TLS. */
function behindTls({ DEVICE_BINDING: binding }: Settings) {
  if (binding === undefined) return undefined
  const deviceJwk = binding === 'off' ? undefined : newDeviceJwk()
  return {
    deviceJwk,
    carry(gateway: Gateway, { sessions }: World, secret: string): Gateway {
      const values = createBoundValues(createSealer([secret]))
      const endsAtSeconds = Math.floor(Date.now() / 1_000) + lifetimeSeconds
      const { port } = new URL(gateway.origin)
      const cookies = sessions.map(({ id }) => {
        const long = `__Host-Http-coatcheck-${port}=${id}`
        if (deviceJwk === undefined) return long
        const value = values.make({ h: hashSessionId(id), publicJwk: deviceJwk }, endsAtSeconds)
        return `${long}; __Host-coatcheck-${port}-device=${value}`
      })
      return { ...gateway, cookies, connects: `http://127.0.0.1:${port}` }
    },
  }
}

function newDeviceJwk() {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { kty = '', crv = '', x = '', y = '' } = publicKey.export({ format: 'jwk' })
  return { kty, crv, x, y }
}

async function startWith(
  {
    name,
    settings: env,
    cli,
  }: Variant & {
    readonly settings: { readonly BASE_URL: string; readonly PORT: string }
  },
  provider: { stop(): Promise<void> },
  { sessions, nodeOptions }: World,
): Promise<Gateway> {
  const args = [...nodeOptions, cli, 'start']
  const port = Number(env.PORT)
  const running = await start({ name, file: process.execPath, args, env, core: cores.gateway, port })
  const stop = async (): Promise<void> => {
    await running.stop()
    await provider.stop()
  }
  const cookies = sessions.map(({ id }) => `coatcheck-${port}=${id}`)
  return { name, pid: running.pid, origin: env.BASE_URL, cookies, checksOrigin: true, stop }
}

function usualSettings(world: World) {
  return {
    CLIENT_ID: clientId,
    API_AUDIENCE: audience,
    // Coatcheck takes its prefix away before it forwards; the peers keep it.
    API_URL: `${world.upstreamUrl}/api`,
    REDIS_URL: world.redisUrl,
    SESSION_MAX_LIFETIME: `${lifetimeSeconds}`,
    // No peer limits anybody or writes a line for each request.
    RATE_LIMIT: 'off',
    LOG_LEVEL: 'warn',
    DRAIN_DELAY: '0',
  }
}
