import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../support/ports.ts'

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

/** Each line that expects an error is one itself when the claims have no type. */
const typedApp = `import { createCoatcheck, createSessionStore } from 'coatcheck/client'
import { useSession } from 'coatcheck/react'
interface User { readonly sub: string; readonly name: string }
const coatcheck = createCoatcheck<User>()
const session = await coatcheck.getSession()
export const name: string = session.authenticated ? session.user.name : ''
// @ts-expect-error: no such claim
export const other = session.authenticated ? session.user.email : ''
const state = createSessionStore(coatcheck).get()
export const sub: string = state.status === 'signed-in' ? state.user.sub : ''
export function Name(): string {
  const { status, user } = useSession<User>()
  // @ts-expect-error: nobody may be signed in
  user.name
  return status === 'signed-in' ? user.name : ''
}
`

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
        'dist/client/client.d.ts',
        'dist/testing/testing.js',
        'dist/testing/testing.d.ts',
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

  it('examines a configuration there', async () => {
    // Nobody listens at this port: all is looked at, and nothing waits.
    const nowhere = 'http://127.0.0.1:4'
    const env = {
      PATH: process.env.PATH,
      ISSUER_URL: `${nowhere}/`,
      CLIENT_ID: 'client',
      CLIENT_SECRET: 'a-secret-that-nobody-may-see',
      API_AUDIENCE: 'https://api.example.com',
      API_URL: nowhere,
      BASE_URL: nowhere,
      SESSION_SECRET: 'a-session-secret-that-nobody-may-see',
      PORT: `${await freePort()}`,
    }
    const examined = run('npx', ['--no-install', 'coatcheck', 'doctor', '--json'], {
      cwd: join(folder, 'empty'),
      env,
    })
    const { code, stdout } = await examined.then(
      (answer) => ({ ...answer, code: 0 }),
      (failure: { readonly code: number; readonly stdout: string }) => failure,
    )
    expect(code).toBe(1)
    expect(stdout).not.toContain('nobody-may-see')
    const report = JSON.parse(stdout)
    expect(report).toMatchObject({ schema: 1, ok: false, issuer: `${nowhere}/` })
    expect(report.checks).toContainEqual({
      check: 'discovery',
      status: 'fail',
      summary: 'The provider cannot be reached: nobody listens there (ECONNREFUSED).',
      fix: expect.stringContaining(`${nowhere}/.well-known/openid-configuration`),
    })
  })

  it.each([
    ['coatcheck', 'createGateway'],
    ['coatcheck/client', 'createCoatcheck'],
    ['coatcheck/client', 'createSessionStore'],
    ['coatcheck/testing', 'createTestSession'],
  ])('can be imported there as %s', async (name, export_) => {
    const script = `console.log(typeof (await import('${name}')).${export_})`
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], {
      cwd: join(folder, 'empty'),
    })
    expect(stdout.trim()).toBe('function')
  })

  it('has a browser helper that needs none of the rest', async () => {
    const client = join(folder, 'empty', 'node_modules', 'coatcheck', 'dist', 'client')
    const scripts = (await readdir(client)).filter((name) => name.endsWith('.js'))
    const texts = await Promise.all(scripts.map((name) => readFile(join(client, name), 'utf8')))
    const imported = texts.flatMap((text) =>
      [...text.matchAll(/from '([^']+)'/g)].map(([, path = '']) => path),
    )
    expect(imported.length).toBeGreaterThan(0)
    expect(imported.filter((path) => !/^\.\/[\w-]+\.js$/.test(path))).toEqual([])
  })

  it(
    'has a tarball of the browser side alone, without dependencies, under the same names',
    async () => {
      const { stdout } = await run('npm', ['run', '--silent', 'pack:client', '--', folder], { cwd: project })
      const other = join(folder, 'front-end')
      await mkdir(other)
      await writeFile(join(other, 'package.json'), '{"private":true,"type":"module"}')
      await run('npm', ['install', '--offline', '--no-audit', '--no-fund', stdout.trim()], { cwd: other })
      expect(
        await readdir(join(other, 'node_modules')).then((names) =>
          names.filter((name) => !name.startsWith('.')),
        ),
      ).toEqual(['coatcheck'])
      const script = "console.log(typeof (await import('coatcheck/client')).createCoatcheck().getSession)"
      const ran = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: other })
      expect(ran.stdout.trim()).toBe('function')
    },
    patienceMs,
  )

  it.each([
    ['a bundler', { module: 'esnext', moduleResolution: 'bundler' }],
    ['Node.js', { module: 'node16', moduleResolution: 'node16' }],
  ])(
    "types a strict project's imports, its claims too, as resolved for %s",
    async (_what, resolution) => {
      const app = join(folder, `types-${resolution.module}`)
      await mkdir(join(app, 'node_modules', '@types'), { recursive: true })
      await symlink(
        join(folder, 'empty', 'node_modules', 'coatcheck'),
        join(app, 'node_modules', 'coatcheck'),
      )
      for (const name of ['react', '@types/react', 'csstype'])
        await symlink(join(project, 'node_modules', name), join(app, 'node_modules', name))
      await writeFile(join(app, 'package.json'), '{"private":true,"type":"module"}')
      await writeFile(join(app, 'app.ts'), typedApp)
      const compilerOptions = {
        ...resolution,
        target: 'es2023',
        lib: ['es2023', 'dom'],
        types: [],
        strict: true,
        exactOptionalPropertyTypes: true,
        noEmit: true,
        preserveSymlinks: true,
      }
      await writeFile(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['app.ts'] }))
      const outcome = await run(join(project, 'node_modules/.bin/tsc'), ['-p', app]).catch((error) => error)
      expect(outcome.stdout).toBe('')
    },
    patienceMs,
  )

  it('is built when it is installed from a folder or a Git address, and only then by itself', async () => {
    const { scripts } = JSON.parse(await readFile(join(project, 'package.json'), 'utf8'))
    expect(scripts.prepare).toBe('node scripts/prepare.js')
    const env = { ...process.env, INIT_CWD: project.replace(/\/$/, '') }
    const { stdout } = await run(process.execPath, ['scripts/prepare.js'], { cwd: project, env })
    expect(stdout).toBe('')
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
