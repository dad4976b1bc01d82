import { describe, expect, it } from 'vitest'
import { UsageError } from '../../src/commands/command.ts'
import { readArguments } from '../../src/commands/read-arguments.ts'

const config = {
  options: { ref: { type: 'string' }, all: { type: 'boolean' } },
  allowPositionals: true,
} as const

describe('the arguments of a command', () => {
  it.each([
    ['--ref a', 'a'],
    ['--ref=a', 'a'],
    ['--ref -a', '-a'],
    ['--ref --a', '--a'],
    ['--ref --all2', '--all2'],
    ['--ref -', '-'],
    ['--ref=-a', '-a'],
    ['--ref=--all', '--all'],
    ['--all --ref -a', '-a'],
  ])('%s: the text is %s', (line, text) => {
    expect(readArguments(line.split(' '), config).values.ref).toBe(text)
  })

  it.each(['--ref', '--ref --all', '--ref --ref=a', '--ref --', '--all -a', '--unknown', '-a'])(
    '%s is a mistake, told in one sentence',
    (line) => {
      const read = (): unknown => readArguments(line.split(' '), config)
      expect(read).toThrow(UsageError)
      expect(read).toThrow(/^[^\n]+$/)
    },
  )

  it('leaves alone what stands after a double hyphen', () => {
    const { values, positionals } = readArguments(['--', '--ref', '-a'], config)
    expect({ ...values }).toEqual({})
    expect(positionals).toEqual(['--ref', '-a'])
  })
})
