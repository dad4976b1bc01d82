/** A module's text by its name, `./client.js` and so on. */
export type ModuleTexts = ReadonlyMap<string, string>

const importLine = /^import \{([^}]*)\} from '([^']+)';?\n/gm
const reexportLine = /^export \{([^}]*)\} from '([^']+)';?\n/gm
const exportWord = /^export (?=(?:async function|function|class|const) (\w+))/gm
const ownExport = /^export (?:async function|function|class|const) (\w+)/gm
const comment = /^[ \t]*\/\*\*[\s\S]*?\*\/\n|^[ \t]*\/\/.*\n/gm

/**
 * Makes one module of some: each becomes a function that is called once, in the order in which they need each other, so that names of one are
 * nothing to another. It reads what the compiler writes for `src/client` (named imports and exports, no circle), not JavaScript at large.
 *
 * @param entry the module whose exports are the whole one's
 * @throws Error for a module that is not there
 */
export function linkModules(texts: ModuleTexts, entry: string): string {
  const order: string[] = []
  const visit = (name: string): void => {
    if (order.includes(name)) return
    for (const needed of neededBy(read(texts, name))) visit(needed)
    order.push(name)
  }
  visit(entry)
  const names = exportsOf(read(texts, entry))
  const last = `_${order.length - 1}`
  return [
    ...order.map((name, at) => wrap(read(texts, name), at, order)),
    `export const { ${names.join(', ')} } = ${last}\n`,
  ].join('')
}

function read(texts: ModuleTexts, name: string): string {
  const text = texts.get(name)
  if (text === undefined) throw new Error(`there is no module ${name}`)
  return text.replaceAll(comment, '')
}

function neededBy(text: string): readonly string[] {
  return [...text.matchAll(importLine), ...text.matchAll(reexportLine)].map(([, , from = '']) => from)
}

function exportsOf(text: string): readonly string[] {
  const own = [...text.matchAll(ownExport)].map(([, name = '']) => name)
  return [...own, ...[...text.matchAll(reexportLine)].flatMap(([, names = '']) => listed(names))]
}

const listed = (names: string): readonly string[] =>
  names
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')

function wrap(text: string, at: number, order: readonly string[]): string {
  const take = (names: string, from: string): string =>
    `const { ${listed(names).join(', ').replaceAll(' as ', ': ')} } = _${order.indexOf(from)};\n`
  const body = text
    .replaceAll(importLine, (_line, names: string, from: string) => take(names, from))
    .replaceAll(reexportLine, (_line, names: string, from: string) => take(names, from))
    .replaceAll(exportWord, '')
  return `const _${at} = (() => {\n${withOnce(body)}return { ${exportsOf(text).join(', ')} };\n})();\n`
}

/** A name that is both used and handed on is taken once. */
function withOnce(body: string): string {
  const seen = new Set<string>()
  return body.replaceAll(/^const \{ ([^}]*) \} = (_\d+);\n/gm, (_line, names: string, from: string) => {
    const fresh = listed(names).filter((name) => !seen.has(name))
    for (const name of fresh) seen.add(name)
    return fresh.length === 0 ? '' : `const { ${fresh.join(', ')} } = ${from};\n`
  })
}
