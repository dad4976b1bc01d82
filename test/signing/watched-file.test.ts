import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it, vi } from 'vitest'
import { watchFile } from '../../src/signing/watched-file.ts'
import { silentLogger } from '../../src/telemetry/logs/logger.ts'

const folder = mkdtempSync(join(tmpdir(), 'coatcheck-watched-'))
afterAll(() => rmSync(folder, { recursive: true }))

function watch(path: string, initialText: string) {
  const log = silentLogger()
  const [error, info] = [vi.spyOn(log, 'error'), vi.spyOn(log, 'info')]
  const parse = vi.fn((text: string) => {
    if (text.startsWith('bad')) throw new Error('is no content')
    return text.toUpperCase()
  })
  return { file: watchFile({ name: 'CLIENT_KEY_FILE', path, parse, initialText, log }), error, info, parse }
}

it('a changed file is taken up at the next use, and an unchanged one is not read again', () => {
  const path = join(folder, 'plain')
  writeFileSync(path, 'one\n')
  const { file, info, parse } = watch(path, 'one')
  expect(file.current()).toBe('ONE')
  expect(info).not.toHaveBeenCalled()
  writeFileSync(path, 'two, longer\n')
  expect(file.current()).toBe('TWO, LONGER')
  expect(file.current()).toBe('TWO, LONGER')
  expect(parse).toHaveBeenCalledTimes(2)
  expect(info).toHaveBeenCalledOnce()
})

it('a change between the start and the first use is not missed', () => {
  const path = join(folder, 'early')
  writeFileSync(path, 'newer')
  expect(watch(path, 'older').file.current()).toBe('NEWER')
})

it('a broken, empty or vanished file leaves the old content in force and is logged once', () => {
  const path = join(folder, 'broken')
  writeFileSync(path, 'good')
  const { file, error } = watch(path, 'good')
  for (const spoil of [
    () => writeFileSync(path, 'bad text'),
    () => writeFileSync(path, ''),
    () => rmSync(path),
  ]) {
    error.mockClear()
    spoil()
    for (let use = 0; use < 3; use++) expect(file.current()).toBe('GOOD')
    expect(error).toHaveBeenCalledOnce()
    expect(JSON.stringify(error.mock.calls)).not.toContain(folder)
  }
  writeFileSync(path, 'healed')
  expect(file.current()).toBe('HEALED')
})

it('a mounted secret is seen, which changes by a link to another folder', () => {
  for (const [name, text] of [
    ['v1', 'old'],
    ['v2', 'new'],
  ] as const) {
    mkdirSync(join(folder, name))
    writeFileSync(join(folder, name, 'key'), text)
  }
  symlinkSync('v1', join(folder, 'data'))
  const { file } = watch(join(folder, 'data', 'key'), 'old')
  expect(file.current()).toBe('OLD')
  symlinkSync('v2', join(folder, 'data.next'))
  renameSync(join(folder, 'data.next'), join(folder, 'data'))
  expect(file.current()).toBe('NEW')
})
