import httpProxy from '@fastify/http-proxy'
import fastify from 'fastify'

/** The library as it comes. The bearer is set, so that every API request carries the same bytes. */
const { PORT, UPSTREAM_URL = '', BEARER } = process.env
const authorization = `Bearer ${BEARER}`

const app = fastify()
app.register(httpProxy, {
  upstream: UPSTREAM_URL,
  prefix: '/api',
  rewritePrefix: '/api',
  websocket: true,
  replyOptions: { rewriteRequestHeaders: (_request, headers) => ({ ...headers, authorization }) },
})
await app.listen({ port: Number(PORT), host: '127.0.0.1' })
