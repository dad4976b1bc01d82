import { spawnSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cores, start } from '../arena/processes.ts'
import { lifetimeSeconds } from '../arena/world.ts'
import { type StartGateway, seed, startNode } from './gateway.ts'

/** The gateway that all ratios are to. */
export const startBare: StartGateway = async (world, port) => ({
  ...(await startNode('bare @fastify/http-proxy', 'bare.ts', world, port)),
  cookies: [],
})

/** As the secret in `naive.ts`. */
const secret = 'a secret for benchmarks, of sufficient length'

/** @fastify/session signs its cookie as @fastify/cookie does: base64 without padding. */
function signNaive(id: string): string {
  const mac = createHmac('sha256', secret).update(id).digest('base64').replace(/=+$/, '')
  return encodeURIComponent(`${id}.${mac}`)
}

/** @fastify/session in front of @fastify/http-proxy. */
export const startNaive: StartGateway = async (world, port) => {
  const cookie = { path: '/', httpOnly: true, secure: false, originalMaxAge: lifetimeSeconds * 1_000 }
  const expires = new Date(Date.now() + lifetimeSeconds * 1_000)
  await seed(world, lifetimeSeconds, ({ id, ...tokens }) => [
    `naive:${id}`,
    JSON.stringify({ ...tokens, cookie: { ...cookie, expires } }),
  ])
  const gateway = await startNode('@fastify/session + Redis', 'naive.ts', world, port)
  return { ...gateway, cookies: world.sessions.map(({ id }) => `naive=${signNaive(id)}`) }
}

/** express-openid-connect in front of http-proxy-middleware. */
export const startExpress: StartGateway = async (world, port) => {
  const iat = Math.floor(Date.now() / 1_000)
  const exp = iat + lifetimeSeconds
  await seed(world, lifetimeSeconds, ({ id, accessToken, idToken, refreshToken }) => {
    const tokens = { access_token: accessToken, id_token: idToken, refresh_token: refreshToken }
    const data = { ...tokens, token_type: 'Bearer', expires_at: exp }
    return [`express:${id}`, JSON.stringify({ header: { iat, uat: iat, exp }, data })]
  })
  const gateway = await startNode('express-openid-connect + Redis', 'express.js', world, port)
  return { ...gateway, cookies: world.sessions.map(({ id }) => `appSession=${id}`) }
}

/** Whether nginx can be compared. */
export const hasNginx = spawnSync('nginx', ['-v'], { stdio: 'ignore' }).error === undefined

function nginxConfiguration(upstream: string, port: number, bearer: string, folder: string): string {
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `daemon off; master_process off; pid ${join(folder, 'nginx.pid')};
error_log stderr notice;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000;
${folders.map((name) => `  ${name}_temp_path ${join(folder, `nginx-${name}`)};`).join('\n')}
  map $http_upgrade $connection_upstream { default upgrade; "" ""; }
  upstream api { server ${upstream}; keepalive 64; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${port};
    location /api/ {
      proxy_pass http://api;
      proxy_http_version 1.1;
      proxy_set_header Connection $connection_upstream;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Authorization "Bearer ${bearer}";
      proxy_buffers 16 16k;
    }
  }
}
`
}

/** nginx with a connection pool to the API and nothing else: the floor. */
export const startNginx: StartGateway = async (world, port) => {
  const file = join(world.folder, 'nginx.conf')
  const bearer = world.sessions[0]?.accessToken ?? ''
  await writeFile(file, nginxConfiguration(new URL(world.upstreamUrl).host, port, bearer, world.folder))
  const args = ['-c', file, '-p', world.folder]
  const running = await start({ name: 'nginx', file: 'nginx', args, core: cores.gateway, port })
  const origin = `http://127.0.0.1:${port}`
  return { ...running, name: 'nginx, plain', origin, cookies: [], checksOrigin: false }
}
