import { expect, it } from 'vitest'
import { createRoot } from '../../../src/http/server/server.ts'
import { createLogger } from '../../../src/telemetry/logs/logger.ts'

it('what the framework has to say of a scope, and of a request that is routed, reaches our log', async () => {
  const lines: string[] = []
  const log = createLogger(
    { logLevel: 'info', logFormat: 'json' },
    { write: (line) => void lines.push(line) },
  )
  const app = createRoot({ trustProxy: [] }, log)
  app.get('/', async (request, reply) => {
    request.log.warn('of a request')
    void reply.send('answered')
    throw new Error('afterwards')
  })
  await app.register(async (scope) => scope.log.warn('of a scope'))
  await app.inject('/')
  await app.close()
  const text = lines.join('')
  expect(text).toContain('of a scope')
  expect(text).toContain('of a request')
  expect(text).toMatch(/"level":"error".*"message":"afterwards"/)
})
