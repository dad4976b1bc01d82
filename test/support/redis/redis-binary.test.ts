import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findCommand } from '../commands.ts'
import { ensureRedisServer, findRedisServer } from './redis-binary.ts'

const path = process.env.PATH

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-path-'))
  // The commands that the fakes are made of, and nothing else.
  for (const name of ['sh', 'cp']) {
    const real = findCommand(name) ?? ''
    await fake('bin', name, `exec ${real} "$@"`)
  }
  process.env.PATH = join(folder, 'bin')
})

afterEach(async () => {
  process.env.PATH = path
  await rm(folder, { recursive: true })
})

async function fake(place: string, name: string, script: string): Promise<string> {
  const file = join(folder, place, name)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `#!/bin/sh\n${script}\n`)
  await chmod(file, 0o755)
  return file
}

/** A Docker whose image holds this server. */
async function fakeDocker(serverScript: string): Promise<void> {
  const server = await fake('image', 'redis-server', serverScript)
  await fake('bin', 'docker', `case $1 in create) echo box;; cp) cp ${server} "$3";; esac`)
}

describe('the tests’ Redis server', () => {
  it('is the one on the PATH', async () => {
    const server = await fake('bin', 'valkey-server', 'exit 0')
    ensureRedisServer()
    expect(findRedisServer()).toBe(server)
  })

  it('is copied out of a Docker image where the machine has none, and removed afterwards', async () => {
    await fakeDocker('exit 0')
    const remove = ensureRedisServer()
    expect(findRedisServer()).toMatch(/redis-server$/)
    expect(process.env.PATH?.split(delimiter)).toHaveLength(2)
    remove()
    expect(findRedisServer()).toBeUndefined()
  })

  it('is asked for in one line where there is no way to one, such as an image that does not run here', async () => {
    await fakeDocker('exit 1')
    expect(ensureRedisServer).toThrow(/^The tests need a Redis server of their own: .*PATH.*Docker.*Debian/)
  })
})
