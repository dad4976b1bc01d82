import { describe, expect, it } from 'vitest'
import { createAudit } from '../../../src/telemetry/audit.ts'
import { createLogger } from '../../../src/telemetry/logs/logger.ts'

function logLines(
  write: (log: ReturnType<typeof createLogger>) => void,
  logLevel = 'info',
): Record<string, unknown>[] {
  const lines: string[] = []
  write(createLogger({ logLevel, logFormat: 'json' }, { write: (line: string) => lines.push(line) }))
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}

describe('the logger', () => {
  it('names the level and writes an ISO time', () => {
    const [line] = logLines((log) => log.info('started'))
    expect(line).toMatchObject({ level: 'info', msg: 'started' })
    expect(new Date(String(line?.time)).toISOString()).toBe(line?.time)
  })

  it.each([
    'authorization',
    'Authorization',
    'cookie',
    'set-cookie',
    'access_token',
    'idToken',
    'refresh_token',
    'refreshToken',
    'logout_token',
    'clientSecret',
    'session_secret',
    'codeVerifier',
    'state',
    'nonce',
  ])('never writes the value of %s: on the line, deep inside, in lists', (name) => {
    const secret = { [name]: 's3cret' }
    const [line] = logLines((log) =>
      log.info({ ...secret, a: { b: { ...secret, kept: 1 } }, list: [[secret]] }, 'x'),
    )
    expect(JSON.stringify(line)).not.toContain('s3cret')
    expect(line).toMatchObject({ [name]: '[redacted]', a: { b: { kept: 1 } }, msg: 'x' })
  })

  it('leaves what it was given untouched, and takes no harm from cycles', () => {
    const fields: Record<string, unknown> = { state: 's3cret', list: [{ code: 'csrf_rejected' }] }
    const cycle: Record<string, unknown> = { deep: fields }
    cycle.again = cycle
    const [line] = logLines((log) => log.info({ fields, cycle }))
    expect(fields.state).toBe('s3cret')
    expect(JSON.stringify(line)).not.toContain('s3cret')
    expect(line).toMatchObject({ fields: { list: [{ code: 'csrf_rejected' }] } })
  })

  it('writes an error without its cause, which may hold tokens', () => {
    const error = new Error('refused', { cause: { body: 'eyJtoken' } })
    const text = JSON.stringify(logLines((log) => log.error({ err: error }, 'failed')))
    expect(text).toContain('refused')
    expect(text).not.toContain('eyJtoken')
  })

  it('keeps the stable code of an error', () => {
    const error = Object.assign(new Error('x'), { code: 'ECONNREFUSED' })
    const [line] = logLines((log) => log.error({ err: error }))
    expect(line?.err).toMatchObject({ errorCode: 'ECONNREFUSED' })
  })
})

describe('audit events', () => {
  it('are one line each, named by their audit field', () => {
    const lines = logLines((log) => createAudit(log).event('login.completed', { userRef: 'u1' }))
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({ audit: 'login.completed', userRef: 'u1', level: 'info' })
  })

  it('are written whatever the log level, a refusal as a warning', () => {
    const lines = logLines((log) => {
      log.info('not written')
      createAudit(log).event('request.refused', { code: 'csrf_rejected' })
      createAudit(log).event('login.completed', {})
    }, 'error')
    expect(lines.map((line) => [line.audit, line.level])).toEqual([
      ['request.refused', 'warn'],
      ['login.completed', 'info'],
    ])
    expect(lines[0]).toMatchObject({ code: 'csrf_rejected' })
  })
})
