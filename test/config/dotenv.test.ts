import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../src/config/config-error.ts'
import { parseDotenv } from '../../src/config/dotenv.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { findLookalikes } from '../../src/config/lookalikes.ts'

describe('a .env file', () => {
  it.each<readonly [string, string, Readonly<Record<string, string>>]>([
    ['a byte-order mark', '\uFEFFPORT=1\nHOST=h', { PORT: '1', HOST: 'h' }],
    ['# within a value', 'CLIENT_SECRET=abc#def', { CLIENT_SECRET: 'abc#def' }],
    ['# after white space', 'REDIS_URL=redis://r \t# the store', { REDIS_URL: 'redis://r' }],
    ['nothing but a comment', 'PORT= # later\n# HOST=x\nA=1', { PORT: '', A: '1' }],
    ['double quotes', 'SCOPE="openid # a" # b\nA=1', { SCOPE: 'openid # a', A: '1' }],
    ['single quotes', 'A=\'x \\n "y"\'', { A: 'x \\n "y"' }],
    ['several lines', 'KEY="-----BEGIN\nabc\n-----END"\nA=1', { KEY: '-----BEGIN\nabc\n-----END', A: '1' }],
    ['a written line break', 'KEY="a\\nb\\"c"', { KEY: 'a\nb"c' }],
    ['a quotation mark that does not end', 'A="x\nB=2', { A: '"x', B: '2' }],
    ['quotation marks in the middle', 'A=x"y"z\nB="a"b', { A: 'x"y"z', B: '"a"b' }],
    ['Windows line ends', 'A=1\r\nB="2"\r\n', { A: '1', B: '2' }],
    ['export, blanks, equals signs', ' export A = b=c \n', { A: 'b=c' }],
    ['a name twice', 'A=1\nA=2', { A: '2' }],
    ['lines that are none', 'hello\n=x\n\nA=1', { A: '1' }],
  ])('with %s is read as it is meant', (_what, text, expected) => {
    expect(parseDotenv(text)).toEqual(expected)
  })
})

describe('a value that somebody else wrote', () => {
  const faultOf = (env: Readonly<Record<string, string>>, name: string): string => {
    try {
      loadConfig(env)
    } catch (error) {
      if (error instanceof ConfigError)
        return error.faults.find((fault) => fault.name === name)?.problem ?? 'none'
    }
    return 'none'
  }

  it('of a Kubernetes service is known as such', () => {
    expect(faultOf({ ADMIN_PORT: 'tcp://10.96.0.12:9464' }, 'ADMIN_PORT')).toContain('enableServiceLinks')
  })

  it('with a comment behind it is known as such, and never shown', () => {
    const problem = faultOf({ REDIS_URL: 'redis://me:hush@r:6379 # the store' }, 'REDIS_URL')
    expect(problem).toContain('the comment behind # is part of the value')
    expect(problem).not.toContain('hush')
  })

  it('within quotation marks is named, whether it can be read or not, and never shown', () => {
    expect(faultOf({ PORT: '"3000"' }, 'PORT')).toContain('quotation marks')
    const warnings = findLookalikes({ CLIENT_SECRET: '"hush"', OTHER: '"x"', SCOPE: 'openid' })
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/^CLIENT_SECRET begins and ends with quotation marks/)
    expect(warnings[0]).not.toContain('hush')
  })
})
