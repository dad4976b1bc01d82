import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What is wrong with a line of the page. */
export interface WrongClaim {
  readonly line: number
  readonly reason: string
}

/** Reads a file by its path in the repository; `undefined` when there is none. */
export type ReadFile = (path: string) => string | undefined

/** The page whose tables map threats and requirements to tests. */
const page = 'docs/security.md'

/** A test or a group of tests that never runs; what depends on the machine (`skipIf`) does where the suite is run in full. */
const neverRuns = /\.(?:skip|todo)(?:\.each)?\(/

/** A link to a test file, or to cases that a test file takes from it, or a claim in typographic quotes, which belongs to the last link before it. */
const mentionPattern = /\]\(([^)\s]+\.(?:test|cases)\.ts)\)|“([^”]+)”/g

/**
 * Checks the tables whose last column is called `Test`: each row names tests by file and claim, each file exists, and each claim is in
 * it, word for word.
 */
export function findWrongClaims(markdown: string, path: string, read: ReadFile): readonly WrongClaim[] {
  let isTable = false
  return markdown.split('\n').flatMap((text, index) => {
    const line = index + 1
    if (!text.startsWith('|')) isTable = false
    else if (/\|\s*Test\s*\|\s*$/.test(text)) isTable = true
    else if (isTable && !/^[|\s:-]+$/.test(text))
      return wrongIn(text, dirname(path), read).map((reason) => ({ line, reason }))
    return []
  })
}

function wrongIn(row: string, folder: string, read: ReadFile): readonly string[] {
  const reasons: string[] = []
  let source: string | undefined
  let file = ''
  let claims = 0
  for (const [, link, claim] of row.matchAll(mentionPattern)) {
    if (link !== undefined) {
      file = join(folder, link)
      source = read(file)
      if (source === undefined) reasons.push(`there is no ${file}`)
    } else if (claim !== undefined && file !== '') {
      claims += 1
      if (source !== undefined && !includesTitle(source, claim))
        reasons.push(`${file} does not claim “${claim}”`)
      else if (source !== undefined && neverRuns.test(source)) reasons.push(`${file} leaves tests out`)
    }
  }
  return claims === 0 ? [...reasons, 'no test is named'] : reasons
}

/** Titles stand in the source with their quotes escaped, if those are the quotes around them. */
function includesTitle(source: string, claim: string): boolean {
  return source.includes(claim) || source.includes(claim.replaceAll("'", "\\'"))
}

function main(): void {
  const root = fileURLToPath(new URL('../', import.meta.url))
  const read: ReadFile = (path) =>
    existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : undefined
  const wrong = findWrongClaims(read(page) ?? '', page, read)
  for (const { line, reason } of wrong) console.error(`${page}:${line}: ${reason}`)
  process.exitCode = wrong.length === 0 ? 0 : 1
}

if (import.meta.main) main()
