import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config/load-config.ts'
import { readCopy, readDockerfile, type Stage } from './dockerfile.ts'

const root = new URL('../../', import.meta.url)
const read = (name: string): string => readFileSync(new URL(name, root), 'utf8')

interface Service {
  readonly image: string
  readonly build?: { readonly target: string }
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly ports?: readonly string[]
  readonly healthcheck?: object
  readonly stop_grace_period?: string
  readonly network_mode?: string
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly environment?: Readonly<Record<string, string>>
}

const compose = parse(read('docker-compose.yml'), { merge: true }) as { services: Record<string, Service> }
const services = Object.entries(compose.services)
const stages = readDockerfile(new URL('Dockerfile', root))
const stageNames = stages.map(({ name }) => name)

function stage(name: string): Stage {
  const found = stages.find((candidate) => candidate.name === name)
  if (found === undefined) throw new Error(`no stage ${name}`)
  return found
}

const texts = (of: Stage, name: string): readonly string[] =>
  of.instructions.filter((instruction) => instruction.name === name).map(({ text }) => text)

describe('docker-compose.yml', () => {
  it.each(services)('runs %s without rights and on a read-only file system', (_name, service) => {
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'] })
  })

  it.each(services)('publishes the ports of %s on loopback only', (_name, { ports = [] }) => {
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/)
  })

  it.each(services)('gives %s secrets as files only', (_name, { environment = {} }) => {
    for (const name of Object.keys(environment)) expect(name).not.toMatch(/(SECRET|PASSWORD|KEY)$/)
  })

  it.each(services)(
    'lets %s wait for services that exist and can become what is waited for',
    (_name, service) => {
      for (const [name, { condition }] of Object.entries(service.depends_on ?? {})) {
        const awaited = compose.services[name]
        expect(awaited, name).toBeDefined()
        // The gateway's own health check is in its image.
        if (condition === 'service_healthy') expect(awaited, name).toHaveProperty('healthcheck')
      }
    },
  )

  it.each(services)('builds %s from a stage of the Dockerfile, if from any', (_name, { build }) => {
    if (build !== undefined) expect(stageNames).toContain(build.target)
  })

  it.each(['gateway', 'gateway-without-audience'])(
    'configures the %s with settings that it understands',
    (name) => {
      const env = compose.services[name]?.environment ?? {}
      const config = loadConfig(env, { readFile: () => 'a secret that setup has made up for this demo' })
      expect(config).toMatchObject({ sessionStore: 'redis', port: Number(env.PORT) })
      const grace = Number.parseInt(compose.services[name]?.stop_grace_period ?? '10s', 10)
      expect(grace).toBeGreaterThan(config.drainDelay + config.shutdownGrace)
    },
  )

  it('leaves the audience out for the second gateway only', () => {
    const parameter = (name: string) => compose.services[name]?.environment?.AUDIENCE_PARAMETER
    expect([parameter('gateway'), parameter('gateway-without-audience')]).toEqual([undefined, 'none'])
  })
})

describe('Dockerfile', () => {
  it('copies only what is there and what .dockerignore lets through', () => {
    const allowed = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
    for (const { instructions } of stages) {
      for (const instruction of instructions.filter(({ name }) => name === 'COPY')) {
        const { from, sources } = readCopy(instruction)
        if (from !== undefined) expect(stageNames).toContain(from)
        else
          for (const source of sources)
            expect([existsSync(new URL(source, root)), allowed]).toEqual([
              true,
              expect.arrayContaining([`!${source}`]),
            ])
      }
    }
  })

  it('ends with an image of dist and production dependencies, without sources and development tools', () => {
    expect(stages.at(-1)?.name).toBe('coatcheck')
    expect(texts(stage('coatcheck'), 'COPY')).toEqual(['--from=production /app .'])
    const copies = texts(stage('production'), 'COPY')
    expect(copies).toContain('--from=build /app/dist dist')
    expect(copies.join('\n')).not.toMatch(/\b(src|demo|test)\b/)
    expect(texts(stage('production'), 'RUN').join()).toContain('npm ci --omit=dev')
  })

  it('runs as a numbered user that is not root and listens on all interfaces', () => {
    expect(texts(stage('coatcheck'), 'USER')).toEqual(['1000:1000'])
    expect(texts(stage('coatcheck'), 'ENV').join()).toContain('HOST=0.0.0.0')
  })

  it.each([
    [200, 0],
    [503, 1],
  ])('finds a gateway that answers /livez with %d to be of health %d', async (status, exitCode) => {
    const [check = ''] = texts(stage('coatcheck'), 'HEALTHCHECK')
    const [program, ...rest] = JSON.parse(check.slice(check.indexOf('['))) as string[]
    const server = createServer(({ url }, response) => {
      response.writeHead(url === '/livez' ? status : 404).end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const child = spawn(process.execPath, rest, { env: { PORT: String(port) } })
    expect(await once(child, 'exit')).toEqual([exitCode, null])
    expect(program).toBe('node')
    server.close()
  })

  it('is built on the Node.js that development uses', () => {
    const { devDependencies } = JSON.parse(read('package.json')) as {
      devDependencies: Record<string, string>
    }
    expect(read('Dockerfile')).toContain(`ARG NODE_VERSION=${devDependencies.node}\n`)
  })
})
