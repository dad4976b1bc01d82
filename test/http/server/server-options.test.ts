import Fastify, { type FastifyInstance } from 'fastify'
import { expect, it } from 'vitest'
import { createServerOptions, lendLog } from '../../../src/http/server/server-options.ts'
import { createLogger } from '../../../src/telemetry/logs/logger.ts'

it('what the framework has to say of a request, or of itself, reaches our log', async () => {
  const lines: string[] = []
  const log = createLogger(
    { logLevel: 'info', logFormat: 'json' },
    { write: (line) => void lines.push(line) },
  )
  const app: FastifyInstance = Fastify(createServerOptions({ trustProxy: [] }))
  lendLog(app, log)
  app.get('/', async (_request, reply) => {
    void reply.send('answered')
    throw new Error('afterwards')
  })
  await app.register(async (scope) => scope.log.warn('of a scope'))
  await app.inject('/')
  await app.close()
  expect(lines.join('')).toContain('of a scope')
  expect(lines.join('')).toMatch(/"level":"error".*"message":"afterwards"/)
})
