import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { startDemoProvider } from '../src/dev/provider/provider.ts'
import { startDemoApi } from './api/api.ts'
import { type DemoAddresses, describeSpa, randomSecret, toClients } from './parts.ts'
import { fillSpaFolder } from './spa-folder.ts'
import { cloakroom, cloakroomAudience, people } from './world.ts'

/**
 * One part of the demo in a container of its own: `node demo/serve.ts setup | provider | api`. docker-compose.yml says which variables
 * each needs. The gateways run from the Coatcheck image, not from here.
 */
const parts: Readonly<Record<string, () => Promise<Stop>>> = { setup, provider: serveProvider, api: serveApi }

type Stop = () => Promise<void>

/** All interfaces: a container has its own. */
const host = process.env.HOST ?? '0.0.0.0'

function read(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set`)
  return value
}

const addresses = (): DemoAddresses => ({
  url: read('DEMO_URL'),
  withoutAudienceUrl: read('DEMO_WITHOUT_AUDIENCE_URL'),
  issuer: read('ISSUER_URL'),
})

/** Makes up the secrets once, and fills the folders that the gateways serve. */
async function setup(): Promise<Stop> {
  const folder = read('DEMO_FOLDER')
  await mkdir(`${folder}/secrets`, { recursive: true, mode: 0o700 })
  await writeOnce(`${folder}/secrets/client`, randomSecret())
  await writeOnce(`${folder}/secrets/session`, randomSecret())
  await fillSpaFolder(`${folder}/spa`, describeSpa(addresses(), true))
  await fillSpaFolder(`${folder}/spa-without-audience`, describeSpa(addresses(), false))
  return async () => undefined
}

/** Keeps what is there: sessions in Redis outlive a restart of the demo. */
async function writeOnce(path: string, text: string): Promise<void> {
  await writeFile(path, text, { flag: 'wx', mode: 0o600 }).catch((error: unknown) => {
    if (!(error instanceof Error) || Reflect.get(error, 'code') !== 'EEXIST') throw error
  })
}

async function serveProvider(): Promise<Stop> {
  const secret = await readFile(read('CLIENT_SECRET_FILE'), 'utf8')
  const provider = await startDemoProvider({
    issuer: read('ISSUER_URL'),
    host,
    port: Number(read('PORT')),
    clients: toClients(addresses(), secret),
    apis: [cloakroom],
    users: people,
  })
  return provider.stop
}

async function serveApi(): Promise<Stop> {
  const api = await startDemoApi({
    issuer: read('ISSUER_URL'),
    jwksUrl: read('JWKS_URL'),
    audience: cloakroomAudience,
    host,
    port: Number(read('PORT')),
    url: read('API_URL'),
  })
  return api.stop
}

const part = parts[process.argv[2] ?? '']
if (part === undefined) throw new Error(`usage: node demo/serve.ts ${Object.keys(parts).join(' | ')}`)
const stop = await part()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop())
