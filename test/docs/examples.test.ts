import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const run = promisify(execFile)
const project = fileURLToPath(new URL('../..', import.meta.url))

interface Example {
  readonly text: string
  readonly extension: string
}

/** The TypeScript of a page, block by block. */
async function examplesOf(page: string): Promise<readonly Example[]> {
  const markdown = await readFile(join(project, 'docs', page), 'utf8')
  return [...markdown.matchAll(/^```(tsx?)\n(.*?)^```$/gms)].map(([, extension = '', text = '']) => ({
    extension,
    text,
  }))
}

/** The compiler's settings of an app that has installed the package. */
function settingsOf(): string {
  const at = (path: string) => [join(project, path)]
  return JSON.stringify({
    extends: join(project, 'tsconfig.json'),
    compilerOptions: {
      lib: ['ES2024', 'DOM', 'DOM.Iterable'],
      jsx: 'react-jsx',
      types: [],
      paths: {
        coatcheck: at('src/app.ts'),
        'coatcheck/client': at('src/client/client.ts'),
        'coatcheck/react': at('src/react/react.ts'),
        'coatcheck/testing': at('src/testing/testing.ts'),
      },
    },
    include: [
      '*',
      join(project, 'test/docs/angular.d.ts'),
      join(project, 'node_modules/@types/node/index.d.ts'),
    ],
    exclude: [],
  })
}

describe.each(['client.md', 'testing.md', 'frontends.md', 'api.md', 'embedding.md'])(
  'the examples of docs/%s',
  (page) => {
    let folder = ''
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'coatcheck-examples-'))
    })
    afterAll(() => rm(folder, { recursive: true, force: true }))

    it('compile against the package as it is', async () => {
      const examples = await examplesOf(page)
      expect(examples.length).toBeGreaterThan(0)
      const write = ({ text, extension }: Example, at: number) =>
        writeFile(join(folder, `example-${at}.${extension}`), text)
      await symlink(join(project, 'node_modules'), join(folder, 'node_modules'))
      await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
      await Promise.all([...examples.map(write), writeFile(join(folder, 'tsconfig.json'), settingsOf())])
      const outcome = await run(join(project, 'node_modules/.bin/tsc'), ['-p', folder]).catch(
        (error) => error,
      )
      expect(outcome.stdout).toBe('')
    }, 60_000)
  },
)
