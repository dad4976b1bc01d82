import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findCommand } from '../commands.ts'
import { eventually } from '../eventually.ts'
import { freePort } from '../ports.ts'

/** nginx of this machine; it is not always on the PATH of those who are not root. */
export function findNginx(): string | undefined {
  return findCommand('nginx', '../sbin/nginx')
}

/** Without nginx the rest of the suite still runs; CI installs it, and fails here if that did not work. */
export const isNginxLeftOut = findNginx() === undefined && process.env.CI === undefined

/** What nginx stands in front of. */
export interface NginxOptions {
  readonly gatewayPort: number
  readonly serverName: string
  readonly certificateFile: string
  readonly keyFile: string
}

/** A running nginx. */
export interface Nginx {
  /** Port with TLS. */
  readonly port: number
  readonly plainPort: number
  /** Its error log. */
  errors(): Promise<string>
  stop(): Promise<void>
}

/** Starts nginx with the shipped configuration, all but its names and ports, as whoever runs the tests. */
export async function startNginx(options: NginxOptions): Promise<Nginx> {
  const [port, plainPort] = [await freePort(), await freePort()]
  const shipped = await readFile(new URL('../../../deploy/nginx/coatcheck.conf', import.meta.url), 'utf8')
  return { port, plainPort, ...(await runNginx(render(shipped, { ...options, port, plainPort }), port)) }
}

/** Starts nginx as a shared cache, eager to keep whatever it may, in front of `gatewayPort`; `x-cache` says where an answer is from. */
export async function startSharedCache(gatewayPort: number): Promise<Pick<Nginx, 'port' | 'stop'>> {
  const port = await freePort()
  const configuration = `
    proxy_cache_path cache keys_zone=shared:1m;
    server {
      listen 127.0.0.1:${port};
      location / {
        proxy_pass http://127.0.0.1:${gatewayPort};
        proxy_http_version 1.1;
        proxy_cache shared;
        proxy_cache_valid any 10m;
        proxy_cache_key $request_uri;
        add_header x-cache $upstream_cache_status always;
      }
    }`
  return { port, ...(await runNginx(configuration, port)) }
}

/** Runs nginx in a folder of its own until it listens on `port`. */
export async function runNginx(configuration: string, port: number): Promise<Pick<Nginx, 'errors' | 'stop'>> {
  const binary = findNginx()
  if (binary === undefined) throw new Error('this test needs nginx')
  const folder = await mkdtemp(join(tmpdir(), 'coatcheck-nginx-'))
  await mkdir(join(folder, 'temp'))
  await writeFile(join(folder, 'coatcheck.conf'), configuration)
  await writeFile(join(folder, 'nginx.conf'), mainConfiguration)
  const args = ['-p', folder, '-c', 'nginx.conf', '-e', 'error.log']
  const child = spawn(binary, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  await listening(child, port)
  return {
    errors: () => readFile(join(folder, 'error.log'), 'utf8'),
    async stop() {
      const exited = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await exited
      await rm(folder, { recursive: true, force: true })
    },
  }
}

type Places = NginxOptions & Pick<Nginx, 'port' | 'plainPort'>

/** The shipped text with this machine's places. @throws Error when one of them is not in it */
function render(shipped: string, places: Places): string {
  const replacements: readonly (readonly [string, string])[] = [
    // The nginx of distributions is older than "resolve".
    ['server gateway:3000 resolve', `server 127.0.0.1:${places.gatewayPort}`],
    ['resolver 127.0.0.11 valid=5s;', ''],
    ['listen 8080', `listen 127.0.0.1:${places.plainPort}`],
    ['listen [::]:8080;', ''],
    ['listen 8443', `listen 127.0.0.1:${places.port}`],
    ['listen [::]:8443 ssl http2;', ''],
    ['app.example.com', places.serverName],
    ['/etc/nginx/certificates/fullchain.pem', places.certificateFile],
    ['/etc/nginx/certificates/privkey.pem', places.keyFile],
  ]
  return replacements.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the shipped configuration no longer has ${from}`)
    return text.replaceAll(from, to)
  }, shipped)
}

/** What a distribution's nginx.conf says around the shipped part. One process, so that it never changes its user. */
const mainConfiguration = `
daemon off;
master_process off;
pid nginx.pid;
error_log error.log info;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path temp/body;
  proxy_temp_path temp/proxy;
  fastcgi_temp_path temp/fastcgi;
  uwsgi_temp_path temp/uwsgi;
  scgi_temp_path temp/scgi;
  include coatcheck.conf;
}
`

async function listening(child: ChildProcess, port: number): Promise<void> {
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const ended = new Promise<never>((_resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`nginx ended with ${code}: ${said}`)))
  })
  await Promise.race([eventually(() => canConnect(port)), ended])
  ended.catch(() => undefined)
}

function canConnect(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve()
    })
    socket.once('error', reject)
  })
}
