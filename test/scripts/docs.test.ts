import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { describe, expect, it } from 'vitest'
import { renderDocuments } from '../../scripts/render-docs.ts'
import { settingRows } from '../../src/config/settings/settings.ts'

const documents = renderDocuments()

describe('the rendered documents', () => {
  it.each(Object.keys(documents))('%s is what the sources say (npm run docs)', (path) => {
    expect(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')).toBe(documents[path])
  })

  it('name every setting', () => {
    for (const [name] of settingRows) {
      expect(documents['.env.example']).toMatch(new RegExp(`^#?${name}(_FILE)?=`, 'm'))
      expect(documents['docs/configuration.md']).toContain(`| \`${name}\``)
    }
  })
})

describe('.env.example', () => {
  it('holds no secret to be used by mistake', () => {
    const written = parseEnv((documents['.env.example'] ?? '').replaceAll(/^#(?=[A-Z])/gm, ''))
    for (const [name, { secret, mask }] of settingRows) {
      if (secret === true && mask === undefined) expect(written[name] ?? '').toBe('')
    }
  })

  it('survives the reader of .env with every default intact', () => {
    const written = parseEnv((documents['.env.example'] ?? '').replaceAll(/^#(?=[A-Z])/gm, ''))
    for (const [name, { defaultText }] of settingRows) {
      if (defaultText !== undefined) expect(written[name]).toBe(defaultText)
    }
  })
})
