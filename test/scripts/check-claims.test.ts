import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { findWrongClaims } from '../../scripts/check-claims.ts'

const files: Readonly<Record<string, string>> = {
  'test/a.test.ts': "it('never does it', () => {})\nit('is the user\\'s', () => {})",
}
const wrongIn = (...rows: readonly string[]): readonly string[] => {
  const markdown = ['| Threat | Test |', '|---|---|', ...rows].join('\n')
  return findWrongClaims(markdown, 'docs/security.md', (path) => files[path]).map(
    ({ line, reason }) => `${line}: ${reason}`,
  )
}

describe('the check of claims', () => {
  it('accepts rows whose tests exist, word for word', () => {
    expect(wrongIn("| x | [a](../test/a.test.ts) “never does it”, “is the user's” |")).toEqual([])
  })

  it('names each file, claim and row that is missing', () => {
    expect(
      wrongIn(
        '| x | [a](../test/a.test.ts) “always does it” |',
        '| x | [b](../test/b.test.ts) “never does it” |',
        '| x “quoted” | |',
        '| x | [a](../test/a.test.ts) |',
      ),
    ).toEqual([
      '3: test/a.test.ts does not claim “always does it”',
      '4: there is no test/b.test.ts',
      '5: no test is named',
      '6: no test is named',
    ])
  })

  it.each([
    "it.skip('never does it', () => {})",
    "describe.skip('x', () => { it('never does it', () => {}) })",
    "it.todo('never does it')",
  ])('is not satisfied by a test that is left out: %s', (source) => {
    const table = '| Threat | Test |\n|---|---|\n| x | [a](../test/a.test.ts) “never does it” |'
    expect(findWrongClaims(table, 'docs/security.md', () => source)).toHaveLength(1)
    expect(
      findWrongClaims(table, 'docs/security.md', () =>
        source.replace(/\.(?:skip|todo)/, '.skipIf(isLeftOut)'),
      ),
    ).toEqual([])
  })

  it('leaves other tables and prose alone', () => {
    const other = '| Key | Holds |\n|---|---|\n| a | b |\n\nSee [a](../test/a.test.ts) “whatever”.'
    expect(findWrongClaims(other, 'docs/security.md', () => undefined)).toEqual([])
  })

  it('finds the tables of the page itself', () => {
    const markdown = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8')
    const rows = findWrongClaims(markdown, 'docs/security.md', () => undefined)
    expect(rows.length).toBeGreaterThan(60)
  })
})
