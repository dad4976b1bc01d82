import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createTargetRule, upstreamTarget } from '../../../src/access/target.ts'
import { gatewayCookieNames } from '../../../src/config/cookie-names.ts'
import { createCookiePolicy } from '../../../src/http/cookies/cookie-policy.ts'
import { splitChallenges, withoutPrompts } from '../../../src/proxy/headers/challenges.ts'
import { createLocationMapper } from '../../../src/proxy/headers/location.ts'
import { splitQuotedList } from '../../../src/proxy/headers/quoted-list.ts'
import { createRequestHeaderPolicy } from '../../../src/proxy/headers/request-headers.ts'
import { createProcessNames } from '../../../src/proxy/headers/reserved-names.ts'
import { createResponseHeaderPolicy } from '../../../src/proxy/headers/response-headers.ts'
import { leaves, readings } from '../../access/path-readings.ts'

const rule = createTargetRule('/api', new URL('http://api.test/v1'))

/** Pieces from which hostile paths are made, and harmless ones between them. */
const piece = fc.constantFrom(
  '/',
  '//',
  '.',
  '..',
  '%2e',
  '%2E',
  '%252e',
  '%25252e',
  '%2f',
  '%252f',
  '%5c',
  '\\',
  ';',
  '%3b',
  '%00',
  '%20',
  'a',
  'b.c',
  '%41',
  '%c0%ae',
  '?',
  '#',
  '%',
  '..;',
  '~',
)
const hostilePath = fc.array(piece, { maxLength: 12 }).map((pieces) => `/api/${pieces.join('')}`)

describe('a malformed target', () => {
  it.each([
    '/api/%',
    '/api/%2',
    '/api/%zz',
    '/api/%ff',
    '/api/%c3%28',
    '/api/%ed%a0%80',
    '/api/x#y',
    '/api/x y',
    '/api/\u00e9',
    '/apix',
    '/api;x',
    'api/x',
    '',
  ])('%s is refused by the rule itself, whatever the router does', (target) =>
    expect(upstreamTarget(target, rule)).toBeUndefined(),
  )
})

describe('a target that passes', () => {
  it('stays under the upstream’s path however often and by whomever it is decoded', () => {
    fc.assert(
      fc.property(hostilePath, (target) => {
        const result = upstreamTarget(target, rule)
        if (result === undefined) return
        const path = result.split('?', 1)[0] ?? ''
        for (const reading of readings(path))
          expect([reading, leaves(reading, '/v1')]).toEqual([reading, false])
      }),
      { numRuns: 5_000 },
    )
  })

  it('is byte for byte what came', () => {
    fc.assert(
      fc.property(hostilePath, (target) => {
        const result = upstreamTarget(target, rule)
        if (result !== undefined) expect(result).toBe(`/v1${target.slice(4)}`)
      }),
    )
  })

  it('is every one whose segments were encoded by encodeURIComponent, dot segments and control characters aside', () => {
    const segment = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((text) => !/[\p{Cc}\\/%]|^\.{1,2}\s*(?:[;?#]|$)/u.test(text) && text.isWellFormed())
    fc.assert(
      fc.property(
        fc.array(segment, { minLength: 1, maxLength: 5 }),
        fc.webQueryParameters(),
        (segments, query) => {
          const target = `/api/${segments.map(encodeURIComponent).join('/')}?${query}`
          expect(upstreamTarget(target, rule)).toBe(`/v1${target.slice(4)}`)
        },
      ),
    )
  })
})

const cookies = createCookiePolicy(
  { forwardCookies: ['theme'], allowSetCookies: ['theme'] },
  { isGatewayCookie: gatewayCookieNames([]).has },
)
const requestPolicy = createRequestHeaderPolicy({
  cookies,
  forwardAuthorization: false,
  forwardOrigin: false,
  prefix: '/api',
  baseUrl: new URL('https://app.test'),
  reservedNames: createProcessNames(),
})
const fresh = { authorization: 'Bearer ours', forwardedFor: '192.0.2.1', requestId: 'id' }
const forgeable = [
  'authorization',
  'x-forwarded-for',
  'x-user',
  'x-real-ip',
  'forwarded',
  'connection',
  'te',
  'x-http-method-override',
  'proxy-x',
  'dpop',
  'cookie',
  'origin',
  'accept',
  'x-own',
  'content-type',
]
const spelled = fc.constantFrom(...forgeable).chain((name) =>
  fc
    .array(fc.tuple(fc.boolean(), fc.boolean()), { minLength: name.length, maxLength: name.length })
    .map((choices) =>
      [...name]
        .map((letter, at) => {
          const [isUpper, isTwin] = choices[at] ?? [false, false]
          return letter === '-' && isTwin ? '_' : isUpper ? letter.toUpperCase() : letter
        })
        .join(''),
    ),
)
const rawHeaders = fc
  .array(fc.tuple(spelled, fc.constantFrom('forged', 'a=1; theme=2', 'x-own')), { maxLength: 20 })
  .map((pairs) => pairs.flat())

describe('the headers of a request', () => {
  it('carry exactly one authorization, ours, and nothing forged, in any spelling and order', () => {
    fc.assert(
      fc.property(
        rawHeaders,
        fc.constantFrom(undefined, 'close', 'authorization, x-forwarded-for, X_Own'),
        (raw, connection) => {
          const flat = requestPolicy(raw, connection, fresh)
          const pairs = flat.flatMap((name, at) =>
            at % 2 === 0 ? [[name.toLowerCase().replaceAll('_', '-'), flat[at + 1]] as const] : [],
          )
          expect(pairs.filter(([name]) => name === 'authorization')).toEqual([
            ['authorization', 'Bearer ours'],
          ])
          expect(pairs.filter(([name]) => name === 'x-forwarded-for')).toEqual([
            ['x-forwarded-for', '192.0.2.1'],
          ])
          const passing = new Set(['accept', 'x-own', 'content-type'])
          for (const [name, value] of pairs) if (value === 'forged') expect(passing).toContain(name)
          for (const [name, value] of pairs) if (name === 'cookie') expect(value).toBe('theme=2')
          if (connection?.includes('X_Own')) expect(pairs.map(([name]) => name)).not.toContain('x-own')
        },
      ),
    )
  })

  it('that are nobody’s business pass in order', () => {
    const name = fc.stringMatching(/^x-p[a-z]{1,8}$/)
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.string())), (pairs) => {
        expect(requestPolicy(pairs.flat(), undefined, fresh).slice(0, pairs.length * 2)).toEqual(pairs.flat())
      }),
    )
  })
})

describe('a location', () => {
  const map = createLocationMapper({
    upstreamOrigin: 'http://api.test',
    upstreamPath: '/v1',
    prefix: '/api',
    baseOrigin: 'https://app.test',
    allowRedirectHosts: ['files.test'],
  })
  const text = fc
    .array(
      fc.constantFrom(
        '/',
        '\\',
        '..',
        'v1',
        'http:',
        'https:',
        '//',
        'evil.test',
        'api.test',
        'files.test',
        '@',
        '%2e',
        '?',
        '#',
        ' ',
        '\t',
        'x',
        ':',
        'javascript:',
      ),
      { maxLength: 10 },
    )
    .map((parts) => parts.join(''))

  it('leads to an allowed host, never down to plain http', () => {
    expect(map('https://files.test/a', '/v1/a')).toBe('https://files.test/a')
    expect(map('//files.test/a', '/v1/a')).toBeUndefined()
    expect(map('http://files.test/a', '/v1/a')).toBeUndefined()
  })

  it('leads under our prefix, to us, or to an allowed host, whatever it says', () => {
    fc.assert(
      fc.property(fc.oneof(text, fc.webUrl(), fc.string()), (location) => {
        const mapped = map(location, '/v1/a/b')
        if (mapped === undefined) return
        const url = new URL(mapped, 'https://app.test/api/a/b')
        expect(['https://app.test', 'https://files.test']).toContain(url.origin)
        if (mapped.startsWith('/'))
          expect(url.pathname === '/api' || url.pathname.startsWith('/api/')).toBe(true)
      }),
      { numRuns: 3_000 },
    )
  })
})

describe('an answer of a guarded route', () => {
  const policy = createResponseHeaderPolicy({
    cookies,
    mapLocation: () => undefined,
    guarded: true,
    activeContent: false,
    forwardAuthorization: false,
    transport: {},
    documentHeaders: {},
  })
  const directive = fc.constantFrom(
    'public',
    'Public',
    's-maxage=9',
    'max-age=1',
    'private',
    'private="x"',
    'no-cache',
    '"',
    'immutable',
    ' ',
    'x="a,public"',
  )

  it('is never for shared caches', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.array(directive).map((each) => each.join(',')),
          { maxLength: 3 },
        ),
        (values) => {
          const raw = values.flatMap((value) => ['Cache-Control', value]).map((each) => Buffer.from(each))
          const { headers } = policy(200, raw, '/v1')
          const said = headers.filter((_, at) => at % 2 === 1 && headers[at - 1] === 'cache-control')
          expect(said).toHaveLength(1)
          const names = (splitQuotedList(said[0] ?? '') ?? []).map((each) =>
            each.split('=', 1)[0]?.trim().toLowerCase(),
          )
          expect(names.some((each) => each === 'private' || each === 'no-store')).toBe(true)
          expect(names).not.toContain('public')
          expect(names).not.toContain('s-maxage')
        },
      ),
    )
  })
})

describe('challenges', () => {
  const challenge = fc.constantFrom(
    'Basic realm="a"',
    'Bearer error="x", scope="a b"',
    'NTLM',
    'Negotiate abc==',
    'Custom a=1',
    'Digest realm="x, Bearer y"',
    'Bearer',
  )

  it('lose those that prompt, and no others', () => {
    fc.assert(
      fc.property(fc.array(challenge, { minLength: 1, maxLength: 5 }), (challenges) => {
        const expected = challenges.filter((each) => !/^(?:Basic|NTLM|Negotiate|Digest)/.test(each))
        expect(withoutPrompts(challenges.join(', '))).toBe(
          expected.length === 0 ? undefined : expected.join(', '),
        )
      }),
    )
  })

  it('never fail to be read or refused', () => {
    fc.assert(fc.property(fc.string(), (value) => void splitChallenges(value)))
  })
})
