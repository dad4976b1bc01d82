import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGateway, type Gateway } from '../src/app.ts'
import { loadConfig } from '../src/config/load-config.ts'
import { choosePort } from '../src/dev/ports.ts'
import { type DemoProvider, startDemoProvider } from '../src/dev/provider/provider.ts'
import { startDemoApi } from './api/api.ts'
import { clientIds, type DemoAddresses, describeSpa, randomSecret, toClients } from './parts.ts'
import { fillSpaFolder } from './spa-folder.ts'
import { cloakroom, cloakroomAudience, demoScope, people } from './world.ts'

/** Options of {@link startDemo}. */
export interface DemoOptions {
  /** Keeps the sessions in this Redis; in memory when absent. */
  readonly redisUrl?: string | undefined
  /** The port to prefer for the gateway. Default 3000. */
  readonly preferredPort?: number
  /** `LOG_LEVEL` of the gateways. Default `error`: that sessions are in memory is no news here. */
  readonly logLevel?: string
}

/** The running demo. */
export interface Demo {
  /** The one URL to open. */
  readonly url: string
  /** The same page behind a gateway that asks for no audience. */
  readonly withoutAudienceUrl: string
  readonly provider: DemoProvider
  readonly apiUrl: string
  stop(): Promise<void>
}

type Stops = (() => Promise<void>)[]

/** What the two gateways have in common. */
interface Surroundings {
  readonly addresses: DemoAddresses
  readonly apiUrl: string
  readonly clientSecret: string
  /** Holds the folders that are served. */
  readonly folder: string
  readonly options: DemoOptions
}

/** Starts the provider, the API and two gateways that differ in one setting. Stops what it started when a part fails. */
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
  const surroundings = { addresses, apiUrl: api.url, clientSecret, folder, options }
  stops.push(await startGateway(surroundings, true), await startGateway(surroundings, false))
  return { url, withoutAudienceUrl, provider, apiUrl: api.url }
}

async function startGateway(
  surroundings: Surroundings,
  sendsAudience: boolean,
): Promise<() => Promise<void>> {
  const { addresses, folder } = surroundings
  const baseUrl = new URL(sendsAudience ? addresses.url : addresses.withoutAudienceUrl)
  const spaFolder = join(folder, sendsAudience ? 'spa' : 'spa-without-audience')
  await fillSpaFolder(spaFolder, describeSpa(addresses, sendsAudience))
  const gateway = await createGateway(
    loadConfig({
      ...describeGateway(surroundings, sendsAudience),
      BASE_URL: baseUrl.origin,
      PORT: baseUrl.port,
      SPA_DIR: spaFolder,
    }),
  )
  await gateway.listen({ port: Number(baseUrl.port), host: '127.0.0.1' })
  return () => closeNow(gateway)
}

/** Nobody waits for a demo: browsers keep connections open, some of them without ever asking anything. */
async function closeNow(gateway: Gateway): Promise<void> {
  const closed = gateway.close()
  gateway.server.closeAllConnections()
  await closed
}

/** Settings as an operator would write them. */
function describeGateway({ addresses, apiUrl, clientSecret, options }: Surroundings, sendsAudience: boolean) {
  return {
    ISSUER_URL: addresses.issuer,
    CLIENT_ID: sendsAudience ? clientIds.withAudience : clientIds.withoutAudience,
    CLIENT_SECRET: clientSecret,
    API_AUDIENCE: cloakroomAudience,
    AUDIENCE_PARAMETER: sendsAudience ? 'audience' : 'none',
    SCOPE: demoScope,
    API_URL: apiUrl,
    SESSION_SECRET: randomSecret(),
    SESSION_IDLE_TIMEOUT: '900',
    SESSION_MAX_LIFETIME: '3600',
    SPA_CSP: "default-src 'self'; object-src 'none'; base-uri 'self'; frame-ancestors 'none'",
    LOG_LEVEL: options.logLevel ?? 'error',
    LOG_FORMAT: 'pretty',
    ...(options.redisUrl === undefined ? {} : { REDIS_URL: options.redisUrl }),
  }
}
