import express from 'express'
import { requirePermission, verifyTokens } from './tokens.js'

const orders = [
  { id: 1, what: 'A coat, dark green' },
  { id: 2, what: 'An umbrella' },
]

/** @param {{ issuer: string, audience: string }} options whose tokens are taken */
export function createApi(options) {
  const api = express()
  api.disable('x-powered-by')
  // The gateway writes the number that its own log has too.
  api.use((request, response, next) => {
    response.locals.requestId = request.headers['x-request-id']
    next()
  })
  api.use(verifyTokens(options))
  api.get('/me', (_request, response) => response.json({ sub: response.locals.token.sub }))
  api.get('/orders', requirePermission('read:orders'), (_request, response) => response.json(orders))
  api.get('/time', (_request, response) => {
    response.set('content-type', 'text/event-stream').flushHeaders()
    const tick = () => response.write(`data: ${new Date().toISOString()}\n\n`)
    const timer = setInterval(tick, 1_000)
    tick()
    response.on('close', () => clearInterval(timer))
  })
  return api
}
