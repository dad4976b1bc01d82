import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findCommand } from '../commands.ts'
import { freePort } from '../ports.ts'
import type { Certificates } from './certificates.ts'
import { isNginxLeftOut, startNginx } from './nginx.ts'
import { isProxyMissing, type RunningProxy, runProxy, shipped } from './run-proxy.ts'

/** What a proxy of {@link fronts} stands in front of. */
export interface FrontOptions {
  readonly gatewayPort: number
  readonly serverNames: readonly string[]
  readonly certificates: Certificates
}

/** The proxies that only stand in front, each with its shipped configuration, all but its names and ports. */
export const fronts: readonly {
  readonly name: string
  /** It is not installed; in CI that is a failure. */
  readonly isLeftOut: boolean
  start(options: FrontOptions): Promise<RunningProxy>
}[] = [
  { name: 'nginx', isLeftOut: isNginxLeftOut, start: startFrontNginx },
  { name: 'Caddy', isLeftOut: isProxyMissing(findCommand('caddy')), start: startFrontCaddy },
  {
    name: 'HAProxy',
    isLeftOut: isProxyMissing(findCommand('haproxy', '../sbin/haproxy')),
    start: startFrontHaproxy,
  },
]

function startFrontNginx({ gatewayPort, serverNames, certificates }: FrontOptions): Promise<RunningProxy> {
  return startNginx({ ...certificates, gatewayPort, serverName: serverNames.join(' ') })
}

async function startFrontCaddy({
  gatewayPort,
  serverNames,
  certificates,
}: FrontOptions): Promise<RunningProxy> {
  const port = await freePort()
  const { certificateFile, keyFile } = certificates
  const sites = serverNames.map((name) => `https://${name}:${port}`).join(', ')
  const configuration = await shipped('caddy/Caddyfile', [
    ['\tservers {', '\tadmin off\n\tauto_https disable_redirects\n\tservers {'],
    ['{$SITE} {', `${sites} {\n\tbind 127.0.0.1\n\ttls ${certificateFile} ${keyFile}`],
    // The Caddy of distributions is older.
    ['\t\tstream_close_delay 5m', ''],
    ['gateway:3000', `127.0.0.1:${gatewayPort}`],
  ])
  return runProxy(port, findCommand('caddy'), { Caddyfile: configuration }, (folder) => [
    ...['run', '--adapter', 'caddyfile', '--config', join(folder, 'Caddyfile')],
  ])
}

async function startFrontHaproxy({ gatewayPort, certificates }: FrontOptions): Promise<RunningProxy> {
  const port = await freePort()
  const { certificateFile, keyFile } = certificates
  const pem = `${await readFile(certificateFile, 'utf8')}${await readFile(keyFile, 'utf8')}`
  const configuration = await shipped('haproxy/haproxy.cfg', [
    ['/etc/haproxy/certificates/app.pem', 'app.pem'],
    ['bind :8443', `bind 127.0.0.1:${port}`],
    ['bind :8080', `bind 127.0.0.1:${await freePort()}`],
    ['127.0.0.1:3000', `127.0.0.1:${gatewayPort}`],
  ])
  const files = { 'haproxy.cfg': configuration, 'app.pem': pem }
  return runProxy(port, findCommand('haproxy', '../sbin/haproxy'), files, () => ['-f', 'haproxy.cfg', '-db'])
}
