import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { choosePort } from '../src/dev/ports.ts'
import { type DemoProvider, startDemoProvider } from '../src/dev/provider/provider.ts'
import { type RunningApi, startDemoApi } from './api/api.ts'
import { type DemoSurroundings, startFrontends } from './frontends.ts'
import { randomSecret, toClients } from './parts.ts'
import { cloakroom, cloakroomAudience, people } from './world.ts'

/** Options of {@link startDemo}. */
export interface DemoOptions {
  /** Keeps the sessions in this Redis; in memory when absent. */
  readonly redisUrl?: string | undefined
  /** The port to prefer for the gateway; its second app has the next one. Default 3000. */
  readonly preferredPort?: number
  /** `LOG_LEVEL` of the gateway. Default `error`: that sessions are in memory is no news here. */
  readonly logLevel?: string
}

/** The running demo. */
export interface Demo {
  /** The one URL to open. */
  readonly url: string
  /** The second app: the same page behind a frontend that asks for no audience. */
  readonly withoutAudienceUrl: string
  readonly provider: DemoProvider
  readonly api: RunningApi
  stop(): Promise<void>
}

type Stops = (() => Promise<void>)[]

/** Starts the provider, the API and a gateway with two frontends that differ in one setting. Stops what it started when a part fails. */
export async function startDemo(options: DemoOptions = {}): Promise<Demo> {
  const stops: Stops = []
  const stop = async (): Promise<void> => {
    for (const stopPart of stops.splice(0).reverse()) await stopPart()
  }
  try {
    return { ...(await startParts(options, stops)), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function startParts(options: DemoOptions, stops: Stops): Promise<Omit<Demo, 'stop'>> {
  const port = await choosePort(options.preferredPort ?? 3_000)
  const url = `http://localhost:${port}`
  const withoutAudienceUrl = `http://127.0.0.1:${await choosePort(port + 1)}`
  const clientSecret = randomSecret()
  const clients = toClients({ url, withoutAudienceUrl, issuer: '' }, clientSecret)
  const provider = await startDemoProvider({ clients, apis: [cloakroom], users: people })
  stops.push(provider.stop)
  const api = await startDemoApi({ issuer: provider.issuer, audience: cloakroomAudience })
  stops.push(api.stop)
  const folder = await mkdtemp(join(tmpdir(), 'coatcheck-demo-'))
  stops.push(() => rm(folder, { recursive: true, force: true }))
  const addresses = { url, withoutAudienceUrl, issuer: provider.issuer }
  const surroundings: DemoSurroundings = { addresses, apiUrl: api.url, clientSecret, folder, options }
  stops.push(await startFrontends(surroundings))
  return { url, withoutAudienceUrl, provider, api }
}
