import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { areImagesLeftOut, openImage, titleOf } from '../support/image/images.ts'

/** A file or folder of an image. */
interface Entry {
  readonly path: string
  readonly mode: number
  readonly owner: number
  readonly bytes: number
  readonly kind: 'file' | 'folder' | 'link'
}

/** Everything beneath a folder of an image, by its path inside. */
function list(root: string, folder: string): readonly Entry[] {
  return readdirSync(join(root, folder)).flatMap((name) => {
    const path = join(folder, name)
    const stats = lstatSync(join(root, path))
    const kind = stats.isDirectory() ? 'folder' : stats.isSymbolicLink() ? 'link' : 'file'
    const { mode, uid: owner, size: bytes } = stats
    return [{ path, mode, owner, bytes, kind } as const, ...(kind === 'folder' ? list(root, path) : [])]
  })
}

const lock = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')) as {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly version: string }>>
}

describe.skipIf(areImagesLeftOut).each(['coatcheck', 'demo'] as const)(titleOf('the image %s'), (stage) => {
  const { root } = areImagesLeftOut ? { root: '' } : openImage(stage)
  const app = areImagesLeftOut ? [] : list(root, '/app')
  const packages = app
    .filter(({ path }) => /\/node_modules\/(?:@[^/]+\/)?[^/@.][^/]*\/package\.json$/.test(path))
    .map(({ path }) => path.slice('/app/'.length, -'/package.json'.length))

  it('has one Node.js', () => {
    const found = ['/usr', '/opt', '/app', '/bin', '/home']
      .filter((folder) => lstatSync(join(root, folder), { throwIfNoEntry: false })?.isDirectory())
      .flatMap((folder) => list(root, folder))
      .filter(({ path, kind, bytes }) => basename(path) === 'node' && kind === 'file' && bytes > 1_000_000)
    expect(found.map(({ path }) => path)).toEqual(['/usr/local/bin/node'])
  })

  it('has no maps, no declarations, and no sources of packages in TypeScript', () => {
    const strange = app.filter(
      ({ path, kind }) =>
        kind === 'file' &&
        (/\.map$/.test(path) || (path.includes('node_modules') && /\.[mc]?ts$/.test(path))),
    )
    expect(strange).toEqual([])
  })

  it('is readable by whoever runs it, and writable by root alone', () => {
    const strange = app.filter(
      ({ kind, mode, owner }) =>
        owner !== 0 ||
        (kind !== 'link' && ((mode & 0o022) !== 0 || (mode & 0o004) === 0)) ||
        (mode & 0o6000) !== 0,
    )
    expect(strange).toEqual([])
  })

  it('holds packages of the lock file in its versions', () => {
    expect(packages.length).toBeGreaterThan(50)
    for (const path of packages) {
      const { version } = JSON.parse(readFileSync(join(root, 'app', path, 'package.json'), 'utf8'))
      expect([path, version]).toEqual([path, lock.packages[path]?.version])
    }
  })

  it('holds no secrets, settings or tools of whoever built it', () => {
    expect(app.filter(({ path }) => /(^|\/)(\.env|\.npmrc|\.git|\.npm)$/.test(path))).toEqual([])
    const tools = [
      'typescript',
      'vitest',
      'vite',
      '@biomejs/biome',
      'oxlint',
      'playwright-core',
      'node',
      '@types/node',
    ]
    expect(packages.filter((path) => tools.includes(path.replace('node_modules/', '')))).toEqual([])
  })
})

describe.skipIf(areImagesLeftOut)(titleOf('the image of the gateway'), () => {
  const image = areImagesLeftOut ? undefined : openImage('coatcheck')

  it('holds what runs and nothing else', () => {
    const root = image?.root ?? ''
    expect(readdirSync(join(root, 'app')).sort()).toEqual([
      'LICENSE',
      'bin',
      'dist',
      'node_modules',
      'package.json',
    ])
    const here = (name: string) => lstatSync(join(root, 'usr/local', name), { throwIfNoEntry: false })
    expect(['bin/npm', 'bin/npx', 'bin/corepack', 'lib/node_modules'].map(here)).toEqual(
      Array(4).fill(undefined),
    )
  })

  it('holds all production packages and none that only development needs', () => {
    const wanted = Object.entries(lock.packages)
      .filter(([path, { dev }]) => path !== '' && dev !== true)
      .map(([path]) => path)
    const present = wanted.map((path) => [
      path,
      lstatSync(join(image?.root ?? '', 'app', path), { throwIfNoEntry: false })?.isDirectory(),
    ])
    expect(present).toEqual(wanted.map((path) => [path, true]))
    const foreign = readdirSync(join(image?.root ?? '', 'app/node_modules')).filter(
      (name) => lock.packages[`node_modules/${name}`]?.dev === true,
    )
    expect(foreign).toEqual([])
  })

  it('says as whom, how and on which port it runs, and how its health is checked', () => {
    expect(image?.config).toMatchObject({
      User: '1000:1000',
      WorkingDir: '/app',
      Entrypoint: ['node', 'bin/coatcheck.js'],
      Cmd: ['start'],
      ExposedPorts: { '3000/tcp': {} },
      Healthcheck: { Test: expect.arrayContaining(['CMD', 'node']) },
    })
  })
})
