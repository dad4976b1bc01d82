import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { type Config, loadConfig } from '../../src/config/load-config.ts'
import { hasFileForm } from '../../src/config/settings/setting.ts'
import { settings } from '../../src/config/settings/settings.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const yamlFiles = globSync('deploy/**/*.{yaml,yml}', { cwd: root }).sort()

/** A process that stops at once only if nothing is under way has this much more time, seconds. */
const stopMarginSeconds = 2

type Environment = Readonly<Record<string, string>>

describe('every YAML file of deploy/', () => {
  it('is there', () => expect(yamlFiles.length).toBeGreaterThan(8))

  it.each(yamlFiles)('parses without a fault or a warning: %s', (file) => {
    for (const document of parseAllDocuments(read(file))) {
      expect([...document.errors, ...document.warnings]).toEqual([])
    }
  })
})

/** Which setting an environment variable of the gateway is; `NAME_FILE` only where there is such a form. */
function settingOf(name: string): string | undefined {
  const rows: Readonly<Record<string, Parameters<typeof hasFileForm>[0]>> = settings
  if (rows[name] !== undefined) return name
  const plain = name.replace(/_FILE$/, '')
  const setting = rows[plain]
  return setting !== undefined && plain !== name && hasFileForm(setting) ? plain : undefined
}

/** `${NAME:?why}` becomes the example of that setting, `${NAME:-text}` the text. */
function interpolate(text: string): string {
  const rows: Readonly<Record<string, { readonly example: string }>> = settings
  return text.replaceAll(
    /\$\{(\w+)(?::([-?])([^}]*))?\}/g,
    (_all, name: string, kind?: string, rest?: string) =>
      kind === '-' ? (rest ?? '') : (rows[name]?.example ?? 'something'),
  )
}

/** What such an environment configures; every secret file is there. */
function configOf(environment: Environment): Config {
  const env = Object.fromEntries(
    Object.entries(environment).map(([name, text]) => [name, interpolate(String(text))]),
  )
  return loadConfig(env, { readFile: () => 'a-secret-of-at-least-32-characters-for-tests' })
}

function expectProductionSettings(environment: Environment): void {
  for (const name of Object.keys(environment)) expect([name, settingOf(name)]).not.toContain(undefined)
  for (const name of Object.keys(environment)) expect(name).not.toMatch(/(SECRET|PASSWORD|KEY)$/)
  const config = configOf(environment)
  expect(config).toMatchObject({ sessionStore: 'redis', host: '0.0.0.0', adminHost: '0.0.0.0' })
  expect(config.trustProxy).not.toEqual([])
}

interface Service {
  readonly environment?: Environment
  readonly ports?: readonly string[]
  readonly read_only?: boolean
  readonly stop_grace_period?: string
  readonly healthcheck?: object
  readonly build?: { readonly context: string; readonly target: string }
  readonly volumes?: readonly string[]
  readonly secrets?: readonly string[]
  readonly networks?: readonly string[]
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
}

interface Compose {
  readonly include?: readonly string[]
  readonly services: Readonly<Record<string, Service>>
  readonly volumes?: object
  readonly secrets?: Readonly<Record<string, { readonly file: string }>>
  readonly networks?: Readonly<
    Record<string, { readonly ipam?: { readonly config: readonly { readonly subnet: string }[] } }>
  >
}

function readCompose(path: string): Compose {
  const own = parse(read(path)) as Compose
  const included = (own.include ?? []).map((one) => readCompose(normalize(join(dirname(path), one))))
  const merge = <Key extends 'services' | 'secrets' | 'networks' | 'volumes'>(key: Key) =>
    Object.assign({}, ...[...included, own].map((one) => one[key])) as Compose[Key]
  return {
    services: merge('services') ?? {},
    secrets: merge('secrets') ?? {},
    networks: merge('networks') ?? {},
    volumes: merge('volumes') ?? {},
  }
}

describe.each(['nginx', 'caddy'])('the compose file behind %s', (front) => {
  const compose = readCompose(`deploy/${front}/compose.yml`)
  const gateway = compose.services.gateway ?? {}
  const environment = gateway.environment ?? {}

  it('gives the gateway only settings that exist, Redis as the store, and secrets as files', () => {
    expectProductionSettings(environment)
  })

  it('leaves it longer to stop than it may take', () => {
    const { drainDelay, shutdownGrace } = configOf(environment)
    const grace = Number.parseInt(gateway.stop_grace_period ?? '10s', 10)
    expect(grace).toBeGreaterThan(drainDelay + shutdownGrace + stopMarginSeconds)
  })

  it('believes X-Forwarded-For of the network that it shares with the proxy, and of no other', () => {
    const subnets = compose.networks?.front?.ipam?.config.map(({ subnet }) => subnet)
    expect(environment.TRUST_PROXY?.split(',')).toEqual(subnets)
    expect(compose.services[front]?.networks).toEqual(['front'])
  })

  it('publishes the proxy and nothing else', () => {
    for (const [name, { ports = [] }] of Object.entries(compose.services)) {
      expect([name, ports.length > 0]).toEqual([name, name === front])
    }
  })

  it('runs everything on a read-only file system, with what it names in place', () => {
    for (const service of Object.values(compose.services)) {
      expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], restart: 'unless-stopped' })
      for (const secret of service.secrets ?? []) expect(compose.secrets).toHaveProperty(secret)
      for (const network of service.networks ?? []) expect(compose.networks).toHaveProperty(network)
      for (const other of Object.keys(service.depends_on ?? {}))
        expect(compose.services).toHaveProperty(other)
    }
  })

  it('reads each secret where it is mounted', () => {
    const files = Object.entries(environment).filter(([name]) => name.endsWith('_FILE'))
    expect(files.map(([, path]) => path).sort()).toEqual(
      (gateway.secrets ?? []).map((name) => `/run/secrets/${name}`).sort(),
    )
  })

  it('asks for no value that env.example does not show', () => {
    const text = [read('deploy/compose.yml'), read(`deploy/${front}/compose.yml`)].join('\n')
    const asked = [...text.matchAll(/\$\{(\w+):\?/g)].map(([, name]) => name)
    const shown = [...read('deploy/env.example').matchAll(/^(\w+)=/gm)].map(([, name]) => name)
    expect(shown).toEqual(expect.arrayContaining(asked))
  })
})

describe('the proxies in front', () => {
  const port = (parse(read('deploy/compose.yml')) as Compose).services.gateway?.environment?.PORT

  it.each(['nginx/coatcheck.conf', 'caddy/Caddyfile'])('%s reaches the gateway on its port', (file) => {
    expect([...read(`deploy/${file}`).matchAll(/gateway:(\d+)/g)].map(([, one]) => one)).toEqual([port])
  })

  it('agree with the image about that port', () => {
    expect(read('Dockerfile')).toContain(`EXPOSE ${port}\n`)
  })

  it('mount files that are there', () => {
    for (const file of ['nginx/coatcheck.conf', 'caddy/Caddyfile', 'redis/start.sh', 'redis/users.acl']) {
      expect(read(`deploy/${file}`)).not.toBe('')
    }
  })
})

/** Kubernetes objects as loosely as their YAML is. */
interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly [field: string]: unknown
}

describe('Kubernetes', () => {
  const folder = 'deploy/kubernetes'
  const { resources } = parse(read(`${folder}/kustomization.yaml`)) as {
    readonly resources: readonly string[]
  }
  const manifests = resources.map((file) => parse(read(`${folder}/${file}`)) as Manifest)
  const find = (kind: string): Manifest => {
    const found = manifests.find((one) => one.kind === kind)
    if (found === undefined) throw new Error(`no ${kind}`)
    return found
  }
  const environment = find('ConfigMap').data as Environment
  const deployment = find('Deployment').spec as {
    readonly replicas: number
    readonly selector: { readonly matchLabels: object }
    readonly template: { readonly metadata: { readonly labels: object }; readonly spec: PodSpec }
  }
  const pod = deployment.template.spec
  const [container] = pod.containers
  const portOf = (name: string) => container?.ports.find((one) => one.name === name)?.containerPort

  it('applies every file that is there', () => {
    const present = globSync('*.yaml', { cwd: join(root, folder) }).filter(
      (file) => file !== 'kustomization.yaml',
    )
    expect([...resources].sort()).toEqual(present.sort())
  })

  it('configures only settings that exist, Redis as the store, and secrets as files', () => {
    expectProductionSettings(environment)
  })

  it('takes settings from the ConfigMap and mounts the secrets where the settings say', () => {
    expect(container?.envFrom).toEqual([{ configMapRef: { name: find('ConfigMap').metadata.name } }])
    const [mount] = container?.volumeMounts ?? []
    for (const [name, path] of Object.entries(environment)) {
      if (name.endsWith('_FILE')) expect(dirname(path)).toBe(mount?.mountPath)
    }
    expect(mount?.readOnly).toBe(true)
    expect(pod.volumes.map(({ name }) => name)).toEqual([mount?.name])
  })

  it('names the ports that the settings open', () => {
    expect([portOf('http'), portOf('admin')]).toEqual([
      Number(environment.PORT),
      Number(environment.ADMIN_PORT),
    ])
    const { ports } = find('Service').spec as { readonly ports: readonly { readonly targetPort: string }[] }
    expect(ports.map(({ targetPort }) => targetPort)).toEqual(['http'])
  })

  it('probes liveness on /livez, and readiness for traffic', () => {
    expect(container?.livenessProbe.httpGet).toEqual({ path: '/livez', port: 'http' })
    expect(container?.readinessProbe.httpGet).toEqual({ path: '/readyz?for=traffic', port: 'http' })
  })

  it('gives a pod longer to end than draining and closing may take, and draining longer than a probe', () => {
    const { drainDelay, shutdownGrace } = configOf(environment)
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(drainDelay + shutdownGrace + stopMarginSeconds)
    const { periodSeconds, failureThreshold } = container?.readinessProbe ?? {
      periodSeconds: 10,
      failureThreshold: 3,
    }
    expect(drainDelay).toBeGreaterThan(periodSeconds * failureThreshold)
  })

  it('runs as nobody special, with a file system that cannot be written', () => {
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1_000 })
    expect(container?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    expect(pod.automountServiceAccountToken).toBe(false)
  })

  it('selects the same pods everywhere', () => {
    const labels = deployment.template.metadata.labels
    const selected = ['PodDisruptionBudget', 'NetworkPolicy'].map((kind) => find(kind).spec as Selecting)
    expect(selected.map((spec) => (spec.selector ?? spec.podSelector)?.matchLabels)).toEqual([labels, labels])
    expect(deployment.selector.matchLabels).toEqual(labels)
    expect((find('Service').spec as { readonly selector: object }).selector).toEqual(labels)
  })

  it('always leaves a pod while others are moved', () => {
    expect(deployment.replicas).toBeGreaterThan(1)
    expect(find('PodDisruptionBudget').spec).toMatchObject({ maxUnavailable: 1 })
  })

  it('keeps metrics from everybody but the monitoring', () => {
    const { ingress } = find('NetworkPolicy').spec as { readonly ingress: readonly Rule[] }
    const toAdmin = ingress.filter(({ ports }) => ports.some(({ port }) => port === 'admin'))
    expect(toAdmin).toHaveLength(1)
    expect(toAdmin[0]?.ports).toEqual([{ port: 'admin' }])
    for (const { from } of ingress) expect(from.length).toBeGreaterThan(0)
  })
})

interface Rule {
  readonly from: readonly object[]
  readonly ports: readonly { readonly port: string }[]
}

interface Selecting {
  readonly selector?: { readonly matchLabels: object }
  readonly podSelector?: { readonly matchLabels: object }
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string }
  readonly periodSeconds: number
  readonly failureThreshold: number
}

interface PodSpec {
  readonly terminationGracePeriodSeconds: number
  readonly automountServiceAccountToken: boolean
  readonly securityContext: object
  readonly volumes: readonly { readonly name: string }[]
  readonly containers: readonly {
    readonly envFrom: readonly object[]
    readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
    readonly livenessProbe: Probe
    readonly readinessProbe: Probe
    readonly securityContext: object
    readonly volumeMounts: readonly {
      readonly name: string
      readonly mountPath: string
      readonly readOnly: boolean
    }[]
  }[]
}
