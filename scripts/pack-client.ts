import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * `npm run pack:client [FOLDER]`: a tarball of the browser's side alone, without dependencies, for front-end projects:
 * `coatcheck-client-<version>.tgz`. What it holds is imported under the same names as from the whole package.
 */
const root = join(import.meta.dirname, '..')
const target = process.argv[2] ?? root

const all = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const { name, version, license, type, keywords } = all

const entry = (file: string) => ({ types: `./dist/${file}.d.ts`, default: `./dist/${file}.js` })

const manifest = {
  name,
  version,
  description: 'The browser helper of the Coatcheck gateway, and its React entry.',
  license,
  type,
  keywords,
  sideEffects: false,
  exports: {
    './client': entry('client/client'),
    './react': entry('react/react'),
    './package.json': './package.json',
  },
  peerDependencies: { react: all.peerDependencies.react },
  peerDependenciesMeta: { react: { optional: true } },
}

const folder = mkdtempSync(join(tmpdir(), 'coatcheck-client-'))
try {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' })
  for (const part of ['client', 'react'])
    cpSync(join(root, 'dist', part), join(folder, 'dist', part), { recursive: true })
  for (const file of ['LICENSE', 'docs/client.md'])
    cpSync(join(root, file), join(folder, file.replace(/^.*client\.md$/, 'README.md')))
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest, undefined, 2))
  const options = { cwd: folder, encoding: 'utf8' } as const
  const packed = execFileSync('npm', ['pack', '--silent'], options).trim()
  const path = join(target, packed.replace(name, `${name}-client`))
  cpSync(join(folder, packed), path)
  process.stdout.write(`${path}\n`)
} finally {
  rmSync(folder, { recursive: true })
}
