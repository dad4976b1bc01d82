import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findCommand } from '../commands.ts'
import { freePort } from '../ports.ts'
import type { Certificates } from './certificates.ts'
import { findNginx, runNginx } from './nginx.ts'
import { isProxyMissing, type RunningProxy, runProxy, shipped } from './run-proxy.ts'

/** What a proxy of {@link carriers} stands in front of. */
export interface CarrierOptions {
  readonly gatewayPort: number
  readonly checkPort: number
  readonly appPort: number
  readonly serverName: string
  readonly certificates: Certificates
}

/** The proxies, each with the shipped configuration of its forward-auth mode, all but its names and ports. */
export const carriers: readonly {
  readonly name: string
  /** It is not installed; in CI that is a failure. */
  readonly isLeftOut: boolean
  start(options: CarrierOptions): Promise<RunningProxy>
}[] = [
  { name: 'nginx', isLeftOut: isProxyMissing(findNginx()), start: startNginxCarrier },
  { name: 'Caddy', isLeftOut: isProxyMissing(findCommand('caddy')), start: startCaddy },
  {
    name: 'HAProxy',
    isLeftOut: isProxyMissing(findCommand('haproxy', '../sbin/haproxy')),
    start: startHaproxy,
  },
]

async function startNginxCarrier(options: CarrierOptions): Promise<RunningProxy> {
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

async function startCaddy(options: CarrierOptions): Promise<RunningProxy> {
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
  return runProxy(port, findCommand('caddy'), { Caddyfile: configuration }, (folder) => [
    ...['run', '--adapter', 'caddyfile', '--config', join(folder, 'Caddyfile')],
  ])
}

async function startHaproxy(options: CarrierOptions): Promise<RunningProxy> {
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
  return runProxy(port, findCommand('haproxy', '../sbin/haproxy'), files, () => ['-f', 'haproxy.cfg', '-db'])
}
