import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A link that leads nowhere. */
export interface BrokenLink {
  readonly file: string
  readonly line: number
  readonly target: string
}

/** Files as links see them. */
export interface LinkFiles {
  /** Text of a Markdown file. */
  readonly read: (path: string) => string
  readonly exists: (path: string) => boolean
}

const fence = /^\s*(```|~~~)/
/** Inline links and images, and reference definitions. */
const linkPattern =
  /\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)|^\s*\[[^\]]+\]:\s*<?(\S+?)>?\s*$|(?:href|src)="([^"]+)"/g

interface Line {
  readonly text: string
  readonly number: number
}

/** The lines of a Markdown text that are not within a code fence. */
function proseLines(markdown: string): readonly Line[] {
  let isCode = false
  return markdown.split('\n').flatMap((text, index) => {
    if (fence.test(text)) {
      isCode = !isCode
      return []
    }
    return isCode ? [] : [{ text, number: index + 1 }]
  })
}

/** The anchors that GitHub gives to a page's headings, and those written as HTML. */
export function anchorsOf(markdown: string): ReadonlySet<string> {
  const anchors = new Set<string>()
  for (const { text } of proseLines(markdown)) {
    const heading = /^#{1,6}\s+(.+?)\s*#*$/.exec(text)?.[1]
    if (heading !== undefined) addSlug(anchors, slugOf(heading))
    for (const match of text.matchAll(/\s(?:id|name)="([^"]+)"/g)) anchors.add(match[1] ?? '')
  }
  return anchors
}

function slugOf(heading: string): string {
  const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
  return plain
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-')
}

function addSlug(anchors: Set<string>, slug: string): void {
  let unique = slug
  for (let count = 1; anchors.has(unique); count++) unique = `${slug}-${count}`
  anchors.add(unique)
}

/** Finds the relative links of a page, anchors included, that lead nowhere. */
export function findBrokenLinks(file: string, files: LinkFiles): readonly BrokenLink[] {
  return proseLines(files.read(file)).flatMap(({ text, number }) => {
    const withoutCode = text.replaceAll(/`[^`]*`/g, '')
    const targets = [...withoutCode.matchAll(linkPattern)].map(
      (match) => match[1] ?? match[2] ?? match[3] ?? '',
    )
    return targets
      .filter((target) => !leadsSomewhere(file, target, files))
      .map((target) => ({ file, line: number, target }))
  })
}

function leadsSomewhere(file: string, target: string, files: LinkFiles): boolean {
  if (/^([a-z][a-z0-9+.-]*:|\/\/)/i.test(target)) return true
  const [path = '', anchor] = target.split('#')
  const page = path === '' ? file : normalize(join(dirname(file), decodeURIComponent(path)))
  if (page.startsWith('..') || !files.exists(page)) return false
  return anchor === undefined || !page.endsWith('.md') || anchorsOf(files.read(page)).has(anchor)
}

function main(): void {
  const root = fileURLToPath(new URL('../', import.meta.url))
  const files: LinkFiles = {
    read: (path) => readFileSync(join(root, path), 'utf8'),
    exists: (path) => existsSync(join(root, path)),
  }
  const pages = globSync(['README.md', 'CHANGELOG.md', 'docs/**/*.md'], { cwd: root })
  const broken = pages.flatMap((page) => findBrokenLinks(page, files))
  for (const { file, line, target } of broken) console.error(`${file}:${line}: ${target} leads nowhere`)
  process.exitCode = broken.length === 0 ? 0 : 1
}

if (import.meta.main) main()
