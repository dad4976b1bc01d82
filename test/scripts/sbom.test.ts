import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const root = new URL('../../', import.meta.url)
const lock = JSON.parse(readFileSync(new URL('package-lock.json', root), 'utf8')) as {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly version: string }>>
}

it('the list of components has every package that production installs, in its version, and no other', () => {
  const printed = execFileSync(fileURLToPath(new URL('scripts/sbom.sh', root)), { encoding: 'utf8' })
  const { components } = JSON.parse(printed) as { components: { name: string; version: string }[] }
  const wanted = Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true)
    .map(
      ([path, { version }]) =>
        `${path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)} ${version}`,
    )
  const listed = components.map(({ name, version }) => `${name} ${version}`)
  expect([...new Set(listed)].sort()).toEqual([...new Set(wanted)].sort())
})
