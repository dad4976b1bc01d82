import { describe, expect, it } from 'vitest'
import { linkModules } from '../../../src/http/helper/link-modules.ts'

const link = async (modules: Readonly<Record<string, string>>): Promise<Record<string, unknown>> => {
  const text = linkModules(new Map(Object.entries(modules)), './a.js')
  return import(`data:text/javascript,${encodeURIComponent(text)}`)
}

describe('modules made into one', () => {
  it('keep their names to themselves and their order of need', async () => {
    const made = await link({
      './a.js':
        "import { b as other } from './b.js'\nimport { c } from './c.js'\nconst own = 1;\nexport const sum = () => own + other() + c\n",
      './b.js': "import { c } from './c.js'\nconst own = 10\nexport function b() {\n  return own + c\n}\n",
      './c.js': 'const own = 100\nexport const c = own\n',
    })
    expect(Object.keys(made)).toEqual(['sum'])
    expect((made.sum as () => number)()).toBe(211)
  })

  it('export what the entry hands on, used there or not', async () => {
    const made = await link({
      './a.js':
        "import { One } from './b.js'\nexport { One, Two } from './b.js'\nexport async function make() {\n  return new One()\n}\n",
      './b.js': 'export class One {\n}\nexport class Two extends One {\n}\n',
    })
    expect(Object.keys(made).sort()).toEqual(['One', 'Two', 'make'])
    expect(await (made.make as () => Promise<object>)()).toBeInstanceOf(made.One)
  })

  it('name a module that is missing', () => {
    expect(() => linkModules(new Map([['./a.js', "import { x } from './x.js'\n"]]), './a.js')).toThrow(
      'there is no module ./x.js',
    )
  })
})
