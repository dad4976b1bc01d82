import { Agent } from 'node:http'
import { RedisStore } from 'connect-redis'
import express from 'express'
import openid from 'express-openid-connect'
import { createProxyMiddleware } from 'http-proxy-middleware'
import { createClient } from 'redis'

// Auth0's own middleware in front of the usual proxy middleware, with the options that its documentation names.
// JavaScript, because its libraries are installed here only, and the type check must not depend on that.
const { PORT, UPSTREAM_URL, REDIS_URL } = process.env

const client = createClient({ url: REDIS_URL })
await client.connect()

const app = express()
app.use(
  openid.auth({
    issuerBaseURL: 'http://127.0.0.1:9',
    baseURL: `http://127.0.0.1:${PORT}`,
    clientID: 'bench',
    secret: 'a secret for benchmarks, of sufficient length',
    authRequired: false,
    session: { store: new RedisStore({ client, prefix: 'express:' }), signSessionStoreCookie: false },
  }),
)
app.use((request, response, next) => {
  if (request.oidc.isAuthenticated()) next()
  else response.status(401).json({ code: 'session_missing' })
})
app.use(
  createProxyMiddleware({
    target: UPSTREAM_URL,
    agent: new Agent({ keepAlive: true }),
    on: {
      proxyReq(outgoing, request) {
        outgoing.removeHeader('cookie')
        outgoing.setHeader('authorization', `Bearer ${request.oidc.accessToken.access_token}`)
      },
    },
  }),
)
app.listen(Number(PORT), '127.0.0.1')
