import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CommandError } from '../../src/commands/command.ts'
import { readEnvironment } from '../../src/commands/environment.ts'

describe('.env of the working directory', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'coatcheck-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('lies beneath the real variables, which win even when they are empty', () => {
    writeFileSync(
      join(folder, '.env'),
      'PORT=8000\nHOST=0.0.0.0\nREDIS_URL=redis://r # the store\nSCOPE="openid a b"\n',
    )
    const env = readEnvironment({ HOST: '127.0.0.1', REDIS_URL: '' }, join(folder, '.env'))
    expect(env).toEqual({ PORT: '8000', HOST: '127.0.0.1', REDIS_URL: '', SCOPE: 'openid a b' })
  })

  it('may be missing', () => {
    expect(readEnvironment({ PORT: '1' }, join(folder, '.env'))).toEqual({ PORT: '1' })
  })

  it('is refused in one line when it cannot be read', () => {
    expect(() => readEnvironment({}, folder)).toThrow(CommandError)
    expect(() => readEnvironment({}, folder)).toThrow('cannot be read (EISDIR)')
  })
})
