/**
 * nginx that asks Coatcheck, and nginx that asks oauth2-proxy, whether a request may pass: `node bench/trials/forward-auth.ts [rounds]`. Both sign in at the
 * same provider and hand the access token to the API. The checker has a processor of its own; nginx, API and load share the rest, so that it is
 * processor time for each question that tells them apart where there are no more than two. Does nothing where nginx or oauth2-proxy is missing.
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exchange } from '../../test/support/exchange.ts'
import { freePort } from '../../test/support/ports.ts'
import {
  type ScriptedProvider,
  startScriptedProvider,
} from '../../test/support/provider/scripted-provider.ts'
import { startRedis } from '../../test/support/redis/redis.ts'
import { cpuMs } from '../arena/proc-stat.ts'
import { type BenchProcess, type Command, cores, start } from '../arena/processes.ts'
import { runLoad } from '../load/load.ts'
import { cliPath } from '../peers/cli.ts'
import { hasNginx } from '../peers/others.ts'
import { median } from '../report/statistics.ts'

const rounds = Number(process.argv[2] ?? 5)

interface Checker {
  readonly name: string
  readonly running: BenchProcess
  /** Where browsers come: nginx. */
  readonly origin: string
  readonly login: string
  readonly cookie: string
}

interface Sample {
  readonly perSecond: number
  readonly cpuUs: number
}

function nginxConfiguration(folder: string, upstreamPort: number, servers: readonly string[]): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `daemon off; master_process off; pid ${join(folder, 'nginx.pid')};
error_log stderr error;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 1000000;
${temporary.map((name) => `  ${name}_temp_path ${join(folder, name)};`).join('\n')}
  upstream api { server 127.0.0.1:${upstreamPort}; keepalive 64; keepalive_requests 1000000; }
  server { listen 127.0.0.1:${upstreamPort}; location / {
    if ($http_authorization = "") { return 500; }
    return 200 "${'x'.repeat(1_024)}"; } }
${servers.join('\n')}
}
`
}

/** @param own what only this checker's locations say */
function nginxServer(
  port: number,
  checkerPort: number,
  path: string,
  own: readonly [string, string],
): string {
  const [asked, carried] = own
  return `  upstream checker${port} { server 127.0.0.1:${checkerPort}; keepalive 64; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${port};
    location / {
      auth_request /_check;
      ${carried}
      proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection "";
    }
    location = /_check {
      internal;
      proxy_pass http://checker${port}${path}; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_buffer_size 16k; proxy_buffers 8 16k;
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Uri $request_uri;
      ${asked}
    }
  }`
}

async function signIn(checker: Pick<Checker, 'name' | 'login'>, provider: ScriptedProvider): Promise<string> {
  const pairs = (setCookies: readonly string[]) => setCookies.map((each) => each.split(';')[0] ?? '')
  const started = await exchange({ method: 'GET', url: new URL(checker.login), headers: {} })
  const url = new URL(started.headers.location ?? '')
  const back = new URL(url.searchParams.get('redirect_uri') ?? '')
  const query = provider.approve(url)
  const callback = new URL(`${back.pathname}?${query}`, checker.login)
  const cookie = pairs(started.setCookies).join('; ')
  const ended = await exchange({ method: 'GET', url: callback, headers: { cookie } })
  const own = pairs(ended.setCookies).filter((pair) => !/^[^=]+=$|csrf|-login-/.test(pair))
  if (own.length === 0) throw new Error(`${checker.name} did not sign in: ${ended.status} ${ended.text()}`)
  return own.join('; ')
}

async function measure(checker: Checker, folder: string): Promise<Sample> {
  const [headersFile, cookiesFile] = [join(folder, 'headers'), join(folder, 'cookies')]
  const own = { Accept: 'application/json', 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors' }
  const headers = Object.entries({ Host: new URL(checker.origin).host, ...own })
  await writeFile(headersFile, headers.map((header) => `${header.join(': ')}\n`).join(''))
  await writeFile(cookiesFile, `Cookie: ${checker.cookie}\n`)
  const load = { origin: checker.origin, method: 'GET', path: '/api/1k', headersFile, cookiesFile }
  const beforeMs = cpuMs(checker.running.pid)
  const result = await runLoad({ ...load, bodyBytes: 0, connections: 50, seconds: 3 })
  const usedMs = cpuMs(checker.running.pid) - beforeMs
  if (result.refused + result.broken > 0 || result.requests === 0)
    throw new Error(`${checker.name}: wrong answers: ${JSON.stringify(result)}`)
  return {
    perSecond: (result.requests / result.durationMs) * 1_000,
    cpuUs: (usedMs / result.requests) * 1_000,
  }
}

/** What all three are started in. */
interface Place {
  readonly folder: string
  readonly provider: ScriptedProvider
  readonly redisUrl: string
  /** What is to be ended, the last first. */
  readonly atEnd: (() => Promise<unknown>)[]
}

async function started({ atEnd }: Place, command: Command): Promise<BenchProcess> {
  const running = await start(command)
  atEnd.push(() => running.stop())
  return running
}

async function startCoatcheck(place: Place, nginxPort: number) {
  const { folder, provider, redisUrl } = place
  const [port, checkPort] = [await freePort(), await freePort()]
  const origin = `http://127.0.0.1:${nginxPort}`
  const routesFile = join(folder, 'routes.json')
  await writeFile(routesFile, JSON.stringify({ routes: [{ prefix: '/api', upstream: 'external' }] }))
  const env = {
    BASE_URL: origin,
    ISSUER_URL: provider.issuer,
    CLIENT_ID: provider.clientId,
    CLIENT_SECRET: provider.clientSecret,
    API_AUDIENCE: provider.audience,
    API_URL: '',
    ROUTES_FILE: routesFile,
    REDIS_URL: redisUrl,
    SESSION_SECRET: randomBytes(32).toString('base64url'),
    PORT: `${port}`,
    FORWARD_AUTH_PORT: `${checkPort}`,
    RATE_LIMIT: 'off',
    LOG_LEVEL: 'warn',
    DRAIN_DELAY: '0',
  }
  const [name, args, core] = ['Coatcheck', [cliPath, 'start'], cores.gateway]
  const running = await started(place, { name, file: process.execPath, args, core, port, env })
  const server = nginxServer(nginxPort, checkPort, '/check', [
    'proxy_set_header X-Forwarded-Method $request_method;',
    `auth_request_set $token $upstream_http_authorization; proxy_set_header Authorization $token;
      auth_request_set $cookies $upstream_http_cookie; proxy_set_header Cookie $cookies;`,
  ])
  return { name, running, origin, login: `http://127.0.0.1:${port}/login`, server }
}

/** As its own documentation sets it up for nginx, with sessions in Redis and no line for each request. */
async function startOauth2Proxy(place: Place, nginxPort: number) {
  const { provider, redisUrl } = place
  const port = await freePort()
  const origin = `http://127.0.0.1:${nginxPort}`
  const args = [
    '--provider=oidc',
    `--oidc-issuer-url=${provider.issuer}`,
    `--client-id=${provider.clientId}`,
    `--client-secret=${provider.clientSecret}`,
    `--redirect-url=${origin}/oauth2/callback`,
    `--http-address=127.0.0.1:${port}`,
    `--cookie-secret=${randomBytes(16).toString('hex')}`,
    '--cookie-secure=false',
    '--email-domain=*',
    '--oidc-email-claim=sub',
    '--insecure-oidc-allow-unverified-email=true',
    '--code-challenge-method=S256',
    '--reverse-proxy=true',
    '--set-xauthrequest=true',
    '--pass-access-token=true',
    '--upstream=static://202',
    '--session-store-type=redis',
    `--redis-connection-url=${redisUrl}`,
    '--request-logging=false',
    '--auth-logging=false',
  ]
  const [name, env] = ['oauth2-proxy', { GOMAXPROCS: '1' }]
  const running = await started(place, { name, file: name, args, core: cores.gateway, port, env })
  const server = nginxServer(nginxPort, port, '/oauth2/auth', [
    'proxy_set_header X-Real-IP $remote_addr;',
    `auth_request_set $token $upstream_http_x_auth_request_access_token;
      proxy_set_header Authorization "Bearer $token"; proxy_set_header Cookie "";`,
  ])
  return { name, running, origin, login: `http://127.0.0.1:${port}/oauth2/start`, server }
}

async function startNginx(place: Place, port: number, servers: readonly string[]): Promise<void> {
  const { folder } = place
  const file = join(folder, 'nginx.conf')
  await writeFile(file, nginxConfiguration(folder, await freePort(), servers))
  const args = ['-c', file, '-p', folder]
  await started(place, { name: 'nginx', file: 'nginx', args, core: cores.rest, port })
}

async function run(place: Place): Promise<void> {
  const [ourPort, theirPort] = [await freePort(), await freePort()]
  const parts = [await startCoatcheck(place, ourPort), await startOauth2Proxy(place, theirPort)]
  await startNginx(
    place,
    ourPort,
    parts.map(({ server }) => server),
  )
  const checkers: Checker[] = []
  for (const part of parts) checkers.push({ ...part, cookie: await signIn(part, place.provider) })
  const seen = new Map(checkers.map((checker): [Checker, Sample[]] => [checker, []]))
  for (let round = 0; round <= rounds; round += 1) {
    for (const [checker, samples] of seen) {
      const sample = await measure(checker, place.folder)
      // The first is the warm-up.
      if (round > 0) samples.push(sample)
    }
  }
  for (const [checker, samples] of seen) report(checker, samples)
}

function report({ name }: Checker, samples: readonly Sample[]): void {
  const perSecond = median(samples.map((sample) => sample.perSecond))
  const cpuUs = median(samples.map((sample) => sample.cpuUs))
  process.stdout.write(
    `${name.padEnd(14)}${perSecond.toFixed(0).padStart(8)} requests/s  ${cpuUs.toFixed(1).padStart(7)} µs of the checker each\n`,
  )
}

if (!hasNginx || spawnSync('oauth2-proxy', ['--version'], { stdio: 'ignore' }).error !== undefined) {
  process.stdout.write('nginx or oauth2-proxy is not installed: nothing was compared.\n')
} else {
  const folder = await mkdtemp(join(tmpdir(), 'coatcheck-forward-auth-'))
  const atEnd: Place['atEnd'] = [() => rm(folder, { recursive: true, force: true })]
  try {
    const redis = await startRedis()
    atEnd.push(() => redis.stop())
    const provider = await startScriptedProvider()
    atEnd.push(() => provider.stop())
    await run({ folder, provider, redisUrl: redis.url, atEnd })
  } finally {
    for (const end of atEnd.reverse()) await end()
  }
}
