import { writeFile } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { createIssuers } from '../src/house/issuers.ts'
import { createHouse, loadHouse } from '../src/house.ts'
import { createTelemetry } from '../src/telemetry/create-telemetry.ts'
import { clientIds, type DemoAddresses, describeSpa, randomSecret } from './parts.ts'
import { fillSpaFolder } from './spa-folder.ts'
import { cloakroomAudience, demoScope } from './world.ts'

/** What the frontends stand between. */
export interface DemoSurroundings {
  readonly addresses: DemoAddresses
  readonly apiUrl: string
  readonly clientSecret: string
  /** Holds the folders that are served, and the frontends file. */
  readonly folder: string
  readonly options: { readonly redisUrl?: string | undefined; readonly logLevel?: string }
}

/** Starts one gateway with both apps as its frontends. Resolves to what stops it. */
export async function startFrontends(surroundings: DemoSurroundings): Promise<() => Promise<void>> {
  const { addresses, folder, options } = surroundings
  const file = join(folder, 'frontends.json')
  await writeFile(file, JSON.stringify({ frontends: await describeFrontends(surroundings) }))
  const port = Number(new URL(addresses.url).port)
  const config = loadHouse({
    FRONTENDS_FILE: file,
    PORT: `${port}`,
    LOG_LEVEL: options.logLevel ?? 'error',
    LOG_FORMAT: 'pretty',
    ...(options.redisUrl === undefined ? {} : { REDIS_URL: options.redisUrl }),
  })
  const telemetry = await createTelemetry(config.process)
  const house = await createHouse(config, { telemetry, issuers: createIssuers(telemetry) })
  await house.listen({ port, host: '127.0.0.1' })
  const second = await listenToo(Number(new URL(addresses.withoutAudienceUrl).port), port)
  return async () => {
    second.close()
    // Nobody waits for a demo: browsers keep connections open, some of them without ever asking anything.
    const closed = house.close()
    house.server.closeAllConnections()
    await closed
  }
}

/** Both frontends, by name, as an operator would write them. */
async function describeFrontends(surroundings: DemoSurroundings) {
  return {
    cloakroom: await describeFrontend(surroundings, true),
    bare: await describeFrontend(surroundings, false),
  }
}

async function describeFrontend(
  { addresses, apiUrl, clientSecret, folder }: DemoSurroundings,
  sendsAudience: boolean,
) {
  const spaFolder = join(folder, sendsAudience ? 'spa' : 'spa-without-audience')
  await fillSpaFolder(spaFolder, describeSpa(addresses, sendsAudience))
  return {
    BASE_URL: sendsAudience ? addresses.url : addresses.withoutAudienceUrl,
    ISSUER_URL: addresses.issuer,
    CLIENT_ID: sendsAudience ? clientIds.withAudience : clientIds.withoutAudience,
    CLIENT_SECRET: clientSecret,
    API_AUDIENCE: cloakroomAudience,
    AUDIENCE_PARAMETER: sendsAudience ? 'audience' : 'none',
    SCOPE: demoScope,
    TOKEN_BINDING: sendsAudience ? 'dpop' : 'none',
    API_URL: apiUrl,
    SESSION_SECRET: randomSecret(),
    SESSION_IDLE_TIMEOUT: 900,
    SESSION_MAX_LIFETIME: 3600,
    SPA_DIR: spaFolder,
    SPA_CSP: "default-src 'self'; object-src 'none'; base-uri 'self'; frame-ancestors 'none'",
  }
}

/** A gateway listens on one port; what stands before it in production brings all hosts there. Here a second port does. */
async function listenToo(port: number, gatewayPort: number): Promise<Server> {
  const server = createServer((browser) => {
    const gateway = connect(gatewayPort, '127.0.0.1')
    browser.pipe(gateway).pipe(browser)
    for (const side of [browser, gateway]) {
      side.on('error', () => {
        browser.destroy()
        gateway.destroy()
      })
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve)
  })
  return server
}
