import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { settingsCheckId } from '../../src/doctor/checks/settings.ts'
import { checks, loginChecks } from '../../src/doctor/checks.ts'

describe('the table of checks', () => {
  const ids = [settingsCheckId, ...[...checks, ...loginChecks].map(({ id }) => id)]

  it('names each check once', () => {
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('is the one that the documentation shows', () => {
    const documentation = readFileSync(new URL('../../docs/doctor.md', import.meta.url), 'utf8')
    const rows = documentation
      .split('\n')
      .filter((line) => /^\| `[a-z]/.test(line) && !line.includes('meaning'))
    const shown = rows.flatMap((row) =>
      [...(row.split('|')[1] ?? '').matchAll(/`([a-z.-]+)`/g)].map(([, id]) => id),
    )
    const members = [
      'schema',
      'version',
      'issuer',
      'provider',
      'ok',
      'counts',
      'checks',
      'check',
      'status',
      'subject',
      'summary',
      'fix',
    ]
    expect(shown.filter((id) => id !== undefined && !members.includes(id)).sort()).toEqual([...ids].sort())
  })
})
