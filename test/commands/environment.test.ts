import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CommandError } from '../../src/commands/command.ts'
import { readEnvironment } from '../../src/commands/environment.ts'
import type { Environment } from '../../src/config/environment.ts'
import { hasFileForm } from '../../src/config/settings/setting.ts'
import { settingRows } from '../../src/config/settings/settings.ts'

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

  const fileForms = settingRows.filter(([, setting]) => hasFileForm(setting)).map(([name]) => name)

  it.each(fileForms)('%s: whichever form the environment has, none of .env counts beside it', (name) => {
    const read = (text: string, real: Environment) => {
      writeFileSync(join(folder, '.env'), text)
      return readEnvironment(real, join(folder, '.env'))
    }
    const file = `${name}_FILE`
    expect(read(`${name}=written\n`, { [file]: '/run/real' })).toEqual({ [file]: '/run/real' })
    expect(read(`${file}=/run/written\n`, { [name]: 'real' })).toEqual({ [name]: 'real' })
    expect(read(`${file}=/run/written\n`, { [name]: '' })).toEqual({ [name]: '' })
    expect(read(`${name}=written\n`, { [file]: '' })).toEqual({ [name]: 'written', [file]: '' })
    expect(read(`${name}=written\n${file}=/run/written\n`, {})).toEqual({
      [name]: 'written',
      [file]: '/run/written',
    })
  })

  it.each(
    settingRows.flatMap(([name, { alsoAs }]) => (alsoAs === undefined ? [] : [[name, alsoAs] as const])),
  )('%s and %s: the environment wins in either spelling', (name, other) => {
    for (const [written, real] of [[name, other] as const, [other, name] as const]) {
      writeFileSync(join(folder, '.env'), `${written}=http://written.test:1\n`)
      const win = { [real]: 'http://real.test:2' }
      expect(readEnvironment(win, join(folder, '.env'))).toEqual(win)
      expect(readEnvironment({ [real]: '' }, join(folder, '.env'))).toEqual({ [real]: '' })
    }
  })

  it('may be missing', () => {
    expect(readEnvironment({ PORT: '1' }, join(folder, '.env'))).toEqual({ PORT: '1' })
  })

  it('is refused in one line when it cannot be read', () => {
    expect(() => readEnvironment({}, folder)).toThrow(CommandError)
    expect(() => readEnvironment({}, folder)).toThrow('cannot be read (EISDIR)')
  })
})
