import cookie from '@fastify/cookie'
import httpProxy from '@fastify/http-proxy'
import session from '@fastify/session'
import fastify, { type Session } from 'fastify'
import { Redis } from 'ioredis'
import { lifetimeSeconds } from '../arena/world.ts'

/** What one writes first: a session in Redis for every request, its token into the header, the library does the rest. */
const { PORT, UPSTREAM_URL = '', REDIS_URL = '' } = process.env
const prefix = 'naive:'

declare module 'fastify' {
  interface Session {
    accessToken?: string
  }
}

const redis = new Redis(REDIS_URL, { protocol: 2 })
type Done = (error?: unknown) => void

const store = {
  get(id: string, done: (error: unknown, session?: Session | null) => void): void {
    redis.get(prefix + id).then((text) => done(null, text === null ? null : JSON.parse(text)), done)
  },
  set(id: string, value: Session, done: Done): void {
    redis.set(prefix + id, JSON.stringify(value), 'EX', lifetimeSeconds).then(() => done(), done)
  },
  destroy(id: string, done: Done): void {
    redis.del(prefix + id).then(() => done(), done)
  },
}

const app = fastify()
app.register(cookie)
app.register(session, {
  secret: 'a secret for benchmarks, of sufficient length',
  cookieName: 'naive',
  cookie: { secure: false, maxAge: lifetimeSeconds * 1_000 },
  rolling: false,
  saveUninitialized: false,
  store,
})
app.register(httpProxy, {
  upstream: UPSTREAM_URL,
  prefix: '/api',
  rewritePrefix: '/api',
  websocket: true,
  preHandler(request, reply, done) {
    if (request.session.accessToken === undefined) reply.code(401).send({ code: 'session_missing' })
    else done()
  },
  replyOptions: {
    rewriteRequestHeaders: (request, headers) => ({
      ...headers,
      cookie: '',
      authorization: `Bearer ${(request as typeof request & { session: Session }).session.accessToken}`,
    }),
  },
})
await app.listen({ port: Number(PORT), host: '127.0.0.1' })
