import { describe, expect, it } from 'vitest'
import { readOriginal } from '../../src/check/original-request.ts'

/** Header lines as Node hands them on. */
function lines(...fields: readonly (readonly [string, string])[]) {
  const headers: Record<string, string> = {}
  for (const [name, value] of fields) {
    const key = name.toLowerCase()
    headers[key] = headers[key] === undefined ? value : `${headers[key]}, ${value}`
  }
  return { headers, rawHeaders: fields.flat() }
}

const host = ['X-Forwarded-Host', 'app.example.com'] as const
const scheme = ['X-Forwarded-Proto', 'https'] as const
const kinds = {
  'x-forwarded': ['X-Forwarded-Method', 'X-Forwarded-Uri'],
  'x-original': ['X-Original-Method', 'X-Original-URI'],
} as const

const contextOf = (work: () => unknown): unknown => {
  try {
    return work()
  } catch (error) {
    return Reflect.get(error as Error, 'context')
  }
}

describe.each(Object.entries(kinds))('the original request in %s', (kind, [method, target]) => {
  const read = (...fields: readonly (readonly [string, string])[]) =>
    readOriginal(lines(...fields), kind as keyof typeof kinds)

  it('is read as it is written', () => {
    const found = read([method, 'POST'], [target, '/app/%7Ex//y?z=1,2&q=%2F'], host, scheme)
    expect(found).toEqual({ method: 'POST', target: '/app/%7Ex//y?z=1,2&q=%2F', host: 'app.example.com' })
  })

  it.each(['http', 'https', 'ws', 'wss', 'HTTPS'])('may have come by %s', (proto) => {
    expect(read([method, 'GET'], [target, '/'], host, ['X-Forwarded-Proto', proto])).toBeDefined()
  })

  it('is not read from the other kind, whatever stands there', () => {
    const [otherMethod, otherTarget] = kinds[kind === 'x-original' ? 'x-forwarded' : 'x-original']
    const found = read(
      [otherMethod, 'DELETE'],
      [otherTarget, '/forged'],
      [method, 'GET'],
      [target, '/'],
      host,
      scheme,
    )
    expect(found).toMatchObject({ method: 'GET', target: '/' })
    expect(contextOf(() => read([otherMethod, 'GET'], [otherTarget, '/'], host, scheme))).toMatchObject({
      header: method,
      fault: 'absent',
    })
  })

  const whole = [[method, 'GET'], [target, '/x'], host, scheme] as const

  it.each([method, target, 'X-Forwarded-Host', 'X-Forwarded-Proto'])('is refused without %s', (name) => {
    const rest = whole.filter(([each]) => each !== name)
    expect(contextOf(() => read(...rest))).toEqual({
      header: name,
      fault: 'absent',
      lacks: expect.stringMatching(new RegExp(`^nginx: proxy_set_header ${name} \\$\\w+;$`)),
    })
    expect(contextOf(() => read(...rest, [name, '']))).toMatchObject({ header: name, fault: 'empty' })
  })

  it.each(whole)('is refused with a second %s, alike or another, before or behind', (name, value) => {
    for (const other of [value, '', 'x', '/other', 'GET', 'https']) {
      expect(contextOf(() => read(...whole, [name, other]))).toMatchObject({
        header: name,
        fault: 'repeated',
      })
      expect(contextOf(() => read([name, other], ...whole))).toMatchObject({
        header: name,
        fault: 'repeated',
      })
    }
  })

  it.each([
    [method, 'GET, POST'],
    [method, 'GET POST'],
    [target, '/a b'],
    [target, '/a\t'],
    ['X-Forwarded-Host', 'a, b'],
    ['X-Forwarded-Host', 'user@a'],
    ['X-Forwarded-Host', 'a/b'],
    ['X-Forwarded-Proto', 'ftp'],
    ['X-Forwarded-Proto', 'https, http'],
  ])('is refused with %s: %s', (name, value) => {
    const fields = whole.map(([each, usual]) => [each, each === name ? value : usual] as const)
    expect(contextOf(() => read(...fields))).toMatchObject({ header: name, fault: 'malformed' })
  })
})
