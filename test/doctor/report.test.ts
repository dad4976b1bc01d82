import { describe, expect, it } from 'vitest'
import { fail, pass, warn } from '../../src/doctor/finding.ts'
import { plainText } from '../../src/doctor/plain-text.ts'
import {
  createLineWriter,
  renderCounts,
  renderFinding,
  renderTitle,
  toReport,
} from '../../src/doctor/report.ts'
import { createScrubber } from '../../src/doctor/scrub.ts'
import { load } from '../config/fixtures.ts'

const patient = { version: '1.2.3', issuer: 'https://tenant.eu.auth0.com/', provider: 'Auth0' }
const findings = [
  { check: 'discovery', ...pass('The provider is there.') },
  { check: 'upstream', subject: '/api', ...warn('It is open.', 'Close it.') },
  { check: 'audience', ...fail('It is wrong.', 'Correct it.') },
  { check: 'redis.rights', status: 'skip', summary: 'Redis does not answer.' } as const,
]

describe('the report', () => {
  it('has the documented shape for machines', () => {
    expect(JSON.parse(JSON.stringify(toReport(patient, findings)))).toEqual({
      schema: 1,
      version: '1.2.3',
      issuer: 'https://tenant.eu.auth0.com/',
      provider: 'Auth0',
      ok: false,
      counts: { pass: 1, warn: 1, fail: 1, skip: 1 },
      checks: [
        { check: 'discovery', status: 'pass', summary: 'The provider is there.' },
        { check: 'upstream', status: 'warn', subject: '/api', summary: 'It is open.', fix: 'Close it.' },
        { check: 'audience', status: 'fail', summary: 'It is wrong.', fix: 'Correct it.' },
        { check: 'redis.rights', status: 'skip', summary: 'Redis does not answer.' },
      ],
    })
  })

  it('is not spoilt by a warning or by what could not be checked', () => {
    expect(
      toReport(
        patient,
        findings.filter(({ status }) => status !== 'fail'),
      ).ok,
    ).toBe(true)
  })

  it('is one line a finding for people', () => {
    expect([
      renderTitle(patient),
      ...findings.map(renderFinding),
      renderCounts(toReport(patient, findings).counts),
    ]).toEqual([
      'coatcheck doctor 1.2.3 · https://tenant.eu.auth0.com/ (Auth0)',
      'pass  discovery: The provider is there.',
      'warn  upstream /api: It is open. Fix: Close it.',
      'fail  audience: It is wrong. Fix: Correct it.',
      'skip  redis.rights: Redis does not answer.',
      '1 failed, 1 to look at, 1 passed, 1 skipped.',
    ])
  })
})

describe('checks that are skipped one after the other', () => {
  it('are one line for each reason', () => {
    const printed: string[] = []
    const lines = createLineWriter((line) => printed.push(line))
    const skip = (check: string, summary: string) => ({ check, status: 'skip', summary }) as const
    for (const finding of [
      skip('a', 'One.'),
      skip('b', 'One.'),
      skip('c', 'Two.'),
      { check: 'd', ...pass('Well.') },
      skip('e', 'Two.'),
      skip('f', 'Two.'),
    ])
      lines.write(finding)
    lines.end()
    lines.end()
    expect(printed).toEqual(['skip  a, b: One.', 'skip  c: Two.', 'pass  d: Well.', 'skip  e, f: Two.'])
  })
})

describe('text from outside', () => {
  it('loses what could move the cursor, break the line or hide what follows', () => {
    expect(plainText('a\u001b[2Jb\nc\u202ed\u2028e')).toBe('a [2Jb c d e')
    expect(plainText('x'.repeat(1_000))).toHaveLength(241)
    expect(plainText(42)).toBe('')
  })

  it('loses every secret of the settings, even if a provider repeats it', () => {
    const scrub = createScrubber(
      load({
        CLIENT_SECRET: 'client-secret-value',
        SESSION_SECRET: 'first-session-secret-0123456789-abcdef,second-session-secret-0123456789-abcde',
        REDIS_URL: 'redis://user:p%40ssword@redis:6379',
      }),
    )
    const said =
      'no client-secret-value, first-session-secret-0123456789-abcdef, second-session-secret-0123456789-abcde, p@ssword'
    expect(scrub(said)).toBe('no ********, ********, ********, ********')
  })
})
