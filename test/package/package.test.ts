import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const run = promisify(execFile)
const project = fileURLToPath(new URL('../..', import.meta.url))

/** Packing builds, and installing fetches what the cache lacks. */
const patienceMs = 240_000

interface PackResult {
  readonly filename: string
  readonly files: readonly { readonly path: string }[]
}

/** `npm pack --json`: what npm prints after the output of the build. */
function parsePack(output: string): PackResult {
  const [result]: PackResult[] = JSON.parse(output.slice(output.search(/^\[/m)))
  if (result === undefined) throw new Error('npm pack named no tarball')
  return result
}

describe('the published package', () => {
  let folder = ''
  let packed: PackResult

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'coatcheck-package-'))
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: project })
    packed = parsePack(stdout)
    const empty = join(folder, 'empty')
    await mkdir(empty)
    await writeFile(join(empty, 'package.json'), '{"private":true}')
    await run(
      'npm',
      ['install', '--prefer-offline', '--no-audit', '--no-fund', join(folder, packed.filename)],
      { cwd: empty },
    )
  }, patienceMs)

  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('holds the compiled program, and neither sources nor tests', () => {
    const paths = packed.files.map(({ path }) => path)
    expect(paths).toEqual(
      expect.arrayContaining([
        'bin/coatcheck.js',
        'dist/cli.js',
        'dist/app.d.ts',
        'dist/client/client.js',
        'LICENSE',
      ]),
    )
    expect(paths.filter((path) => /^(src|test|demo|bench|scripts)\/|\.env/.test(path))).toEqual([])
  })

  it('runs from an empty project', async () => {
    const { version } = JSON.parse(await readFile(join(project, 'package.json'), 'utf8'))
    const { stdout } = await run('npx', ['--no-install', 'coatcheck', '--version'], {
      cwd: join(folder, 'empty'),
    })
    expect(stdout.trim()).toBe(version)
  })

  it('explains a missing configuration there, with exit code 1', async () => {
    const env = { PATH: process.env.PATH }
    const failure = run('npx', ['--no-install', 'coatcheck'], { cwd: join(folder, 'empty'), env })
    await expect(failure).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('coatcheck: ISSUER_URL: is missing.'),
    })
  })

  it('can be imported there', async () => {
    const script = "const { createGateway } = await import('coatcheck'); console.log(typeof createGateway)"
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], {
      cwd: join(folder, 'empty'),
    })
    expect(stdout.trim()).toBe('function')
  })

  it('says in one line that an old Node will not do', async () => {
    const bin = join(folder, 'empty', 'node_modules', 'coatcheck', 'bin', 'coatcheck.js')
    const { node, flags } = await oldNode(folder)
    const failure = run(node, [...flags, bin, '--version'])
    await expect(failure).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^coatcheck needs Node\.js 22\.19 or newer; this is v[\d.]+\. Install a current LTS\.\n$/,
      ),
    })
  })
})

/** The system's Node when it is too old, otherwise this one that is told to say so. */
async function oldNode(
  folder: string,
): Promise<{ readonly node: string; readonly flags: readonly string[] }> {
  const system = '/usr/bin/node'
  const version = await run(system, ['--version']).then(
    ({ stdout }) => stdout,
    () => 'none',
  )
  const [, major = '99', minor = '0'] = /^v(\d+)\.(\d+)/.exec(version) ?? []
  if (Number(major) < 22 || (major === '22' && Number(minor) < 19)) return { node: system, flags: [] }
  const preload = join(folder, 'old.cjs')
  await writeFile(
    preload,
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '22.18.0' } });" +
      "Object.defineProperty(process, 'version', { value: 'v22.18.0' })",
  )
  return { node: process.execPath, flags: ['--require', preload] }
}
