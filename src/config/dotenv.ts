import type { Environment } from './environment.ts'

/** A name, and what stands behind its equals sign; `export` may stand before, as in a shell. */
const assignment = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*/
/** A value within quotation marks, which may have several lines; behind it nothing, or a comment. */
const quoted = /^(?:"((?:[^"\\]|\\[\s\S])*)"|'([^']*)'|`([^`]*)`)[ \t]*(?=\r?\n|$|[ \t]#)/

/**
 * The variables of a `.env` file. A byte-order mark is ignored; `#` begins a comment at the beginning of a line or after white space, so that
 * `SECRET=abc#def` is whole; quotation marks may enclose a value, and within double ones `\n` is a line break. Lines that assign nothing are
 * passed over. Of a name that stands there twice the last counts.
 */
export function parseDotenv(text: string): Environment {
  const found: Record<string, string> = {}
  let rest = text.replace(/^\uFEFF/, '')
  while (rest !== '') {
    const start = assignment.exec(rest)
    const behind = start === null ? rest : rest.slice(start[0].length)
    const enclosed = start === null ? null : quoted.exec(behind)
    const lineEnd = behind.indexOf('\n', enclosed?.[0].length ?? 0)
    const name = start?.[1]
    if (name !== undefined) found[name] = textAfter(enclosed, lineEnd < 0 ? behind : behind.slice(0, lineEnd))
    rest = lineEnd < 0 ? '' : behind.slice(lineEnd + 1)
  }
  return found
}

function textAfter(enclosed: RegExpExecArray | null, line: string): string {
  const [, double, single, backtick] = enclosed ?? []
  if (double !== undefined) return double.replace(/\\([\s\S])/g, (_escape, one: string) => unescaped(one))
  return single ?? backtick ?? line.replace(/(?:^|[ \t])#.*/s, '').trim()
}

function unescaped(character: string): string {
  if (character === 'n') return '\n'
  return character === '"' || character === '\\' ? character : `\\${character}`
}
