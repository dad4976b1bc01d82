import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findCommand } from '../commands.ts'
import { eventually } from '../eventually.ts'
import { freePort } from '../ports.ts'
import type { Certificates } from './certificates.ts'
import { findNginx, runNginx } from './nginx.ts'

/** What a proxy of {@link carriers} stands in front of. */
export interface CarrierOptions {
  readonly gatewayPort: number
  readonly checkPort: number
  readonly appPort: number
  readonly serverName: string
  readonly certificates: Certificates
}

/** A running proxy that carries requests itself. */
export interface Carrier {
  /** With TLS. */
  readonly port: number
  stop(): Promise<void>
}

/** The proxies, each with the shipped configuration of its forward-auth mode, all but its names and ports. */
export const carriers: readonly {
  readonly name: string
  /** It is not installed; in CI that is a failure. */
  readonly isLeftOut: boolean
  start(options: CarrierOptions): Promise<Carrier>
}[] = [
  { name: 'nginx', isLeftOut: isMissing(findNginx()), start: startNginxCarrier },
  { name: 'Caddy', isLeftOut: isMissing(findCommand('caddy')), start: startCaddy },
  { name: 'HAProxy', isLeftOut: isMissing(findCommand('haproxy', '../sbin/haproxy')), start: startHaproxy },
]

function isMissing(command: string | undefined): boolean {
  return command === undefined && process.env.CI === undefined
}

type Replacements = readonly (readonly [from: string, to: string])[]

/** The shipped text with this machine's places. @throws Error when one of them is not in it */
async function shipped(file: string, replacements: Replacements): Promise<string> {
  const text = await readFile(new URL(`../../../deploy/${file}`, import.meta.url), 'utf8')
  return replacements.reduce((rendered, [from, to]) => {
    if (!rendered.includes(from)) throw new Error(`${file} no longer has ${from}`)
    return rendered.replaceAll(from, to)
  }, text)
}

async function startNginxCarrier(options: CarrierOptions): Promise<Carrier> {
  const port = await freePort()
  const { certificateFile, keyFile } = options.certificates
  const configuration = await shipped('nginx/forward-auth.conf', [
    // The nginx of distributions is older than "resolve".
    ['server gateway:3000 resolve', `server 127.0.0.1:${options.gatewayPort}`],
    ['server gateway:9465 resolve', `server 127.0.0.1:${options.checkPort}`],
    ['server app:8080 resolve', `server 127.0.0.1:${options.appPort}`],
    ['resolver 127.0.0.11 valid=5s;', ''],
    ['listen 8080', `listen 127.0.0.1:${await freePort()}`],
    ['listen [::]:8080;', ''],
    ['listen 8443', `listen 127.0.0.1:${port}`],
    ['listen [::]:8443 ssl http2;', ''],
    ['app.example.com', options.serverName],
    ['/etc/nginx/certificates/fullchain.pem', certificateFile],
    ['/etc/nginx/certificates/privkey.pem', keyFile],
  ])
  return { port, ...(await runNginx(configuration, port)) }
}

async function startCaddy(options: CarrierOptions): Promise<Carrier> {
  const port = await freePort()
  const { certificateFile, keyFile } = options.certificates
  const configuration = await shipped('caddy/forward-auth.Caddyfile', [
    ['\tservers {', '\tadmin off\n\tauto_https disable_redirects\n\tservers {'],
    [
      '{$SITE} {',
      `https://${options.serverName}:${port} {\n\tbind 127.0.0.1\n\ttls ${certificateFile} ${keyFile}`,
    ],
    ['gateway:3000', `127.0.0.1:${options.gatewayPort}`],
    ['gateway:9465', `127.0.0.1:${options.checkPort}`],
    ['app:8080', `127.0.0.1:${options.appPort}`],
  ])
  return run(port, findCommand('caddy'), { Caddyfile: configuration }, (folder) => [
    ...['run', '--adapter', 'caddyfile', '--config', join(folder, 'Caddyfile')],
  ])
}

/** Caddy that only stands in front, with the shipped configuration, for these hosts. */
export async function startFrontCaddy(options: {
  readonly gatewayPort: number
  readonly serverNames: readonly string[]
  readonly certificates: CarrierOptions['certificates']
}): Promise<Carrier> {
  const port = await freePort()
  const { certificateFile, keyFile } = options.certificates
  const sites = options.serverNames.map((name) => `https://${name}:${port}`).join(', ')
  const configuration = await shipped('caddy/Caddyfile', [
    ['\tservers {', '\tadmin off\n\tauto_https disable_redirects\n\tservers {'],
    ['{$SITE} {', `${sites} {\n\tbind 127.0.0.1\n\ttls ${certificateFile} ${keyFile}`],
    // The Caddy of distributions is older.
    ['\t\tstream_close_delay 5m', ''],
    ['gateway:3000', `127.0.0.1:${options.gatewayPort}`],
  ])
  return run(port, findCommand('caddy'), { Caddyfile: configuration }, (folder) => [
    ...['run', '--adapter', 'caddyfile', '--config', join(folder, 'Caddyfile')],
  ])
}

async function startHaproxy(options: CarrierOptions): Promise<Carrier> {
  const port = await freePort()
  const { certificateFile, keyFile } = options.certificates
  const pem = `${await readFile(certificateFile, 'utf8')}${await readFile(keyFile, 'utf8')}`
  const configuration = await shipped('haproxy/forward-auth.cfg', [
    ['/etc/haproxy/certificates/app.pem', 'app.pem'],
    ['/etc/haproxy/forward-auth.lua', 'forward-auth.lua'],
    ['bind :8443', `bind 127.0.0.1:${port}`],
    ['bind :8080', `bind 127.0.0.1:${await freePort()}`],
    ['127.0.0.1:3000', `127.0.0.1:${options.gatewayPort}`],
    ['127.0.0.1:9465', `127.0.0.1:${options.checkPort}`],
    ['127.0.0.1:8000', `127.0.0.1:${options.appPort}`],
  ])
  const files = {
    'haproxy.cfg': configuration,
    'forward-auth.lua': await shipped('haproxy/forward-auth.lua', []),
    'app.pem': pem,
  }
  return run(port, findCommand('haproxy', '../sbin/haproxy'), files, () => ['-f', 'haproxy.cfg', '-db'])
}

/** Runs a program in a folder of its own until it listens. */
async function run(
  port: number,
  command: string | undefined,
  files: Readonly<Record<string, string>>,
  argumentsIn: (folder: string) => readonly string[],
): Promise<Carrier> {
  if (command === undefined) throw new Error('this test needs a proxy that is not installed')
  const folder = await mkdtemp(join(tmpdir(), 'coatcheck-carrier-'))
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
  const env = { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
  const child = spawn(command, argumentsIn(folder), { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  await listening(child, port)
  return {
    port,
    async stop() {
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      await exited
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function listening(child: ChildProcess, port: number): Promise<void> {
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
  const ended = new Promise<never>((_resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`the proxy ended with ${code}: ${said}`)))
  })
  await Promise.race([eventually(() => canConnect(port), 20_000), ended])
  ended.catch(() => undefined)
}

function canConnect(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port }, () => {
      socket.destroy()
      resolve()
    })
    socket.once('error', reject)
  })
}
