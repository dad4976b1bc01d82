import { join } from 'node:path'
import type { ConfigFault } from '../config-error.ts'
import { type ConfigFiles, settingFault, tryToRead } from '../environment.ts'
import { settings } from '../settings/settings.ts'
import { faultAt, inOrder, toPlaces } from '../yaml/faults.ts'
import { readYaml } from '../yaml/source.ts'
import { type PageRule, type PageTemplate, parseTemplate } from './template.ts'
import { englishTexts, type PageLanguage, pageTextsSchema } from './texts.ts'

/** The operator's own pages, as far as they gave any. */
export interface OperatorPages {
  readonly problem: PageTemplate | undefined
  readonly confirmLogout: PageTemplate | undefined
  /** Replaces the style sheet of the gateway's own pages. */
  readonly styleSheet: string | undefined
  /** By language tag, in the order of the file. */
  readonly languages: Readonly<Record<string, PageLanguage>>
}

/** What becomes of the folder: with faults the pages are not to be used. */
export interface PagesFolderResult {
  readonly pages: OperatorPages | undefined
  readonly faults: readonly ConfigFault[]
}

const labels = Object.keys(englishTexts)

/** What an error page may show. */
const problemRule: PageRule = {
  values: ['lang', 'title', 'detail', 'status', 'code', 'requestId', 'appUrl', 'loginUrl', ...labels],
  required: ['title', 'detail'],
  addresses: ['appUrl', 'loginUrl'],
}

/** What the page that asks before a sign-out may show. Its form posts `proof` to `action`. */
const confirmLogoutRule: PageRule = {
  values: ['lang', 'action', 'proof', 'appUrl', ...labels],
  required: ['action', 'proof'],
  addresses: ['action', 'appUrl'],
}

const names = {
  problem: 'problem.html',
  confirmLogout: 'confirm-logout.html',
  style: 'style.css',
  texts: 'texts.yaml',
} as const
const knownNames: readonly string[] = Object.values(names)

/** Reads `PAGES_DIR`. Every file in it is optional; what is wrong is reported with file and line. */
export function readPagesFolder(folder: string, files: ConfigFiles): PagesFolderResult {
  const read = (name: string): string | undefined => tryToRead(join(folder, name), files)
  const texts = readTexts(read(names.texts))
  // As the browser reads it, or the hash in the policy would not fit.
  const styleSheet = read(names.style)
    ?.replace(/^\uFEFF/, '')
    .replace(/\r\n?/g, '\n')
  const problem = readTemplate(names.problem, read(names.problem), problemRule)
  const confirmLogout = readTemplate(names.confirmLogout, read(names.confirmLogout), confirmLogoutRule)
  const faults = [
    ...checkNames(folder, files, read),
    ...problem.faults,
    ...confirmLogout.faults,
    ...checkStyle(styleSheet),
    ...texts.faults,
  ]
  const { languages } = texts
  const pages = { problem: problem.template, confirmLogout: confirmLogout.template, styleSheet, languages }
  return { pages, faults }
}

/** A misspelt name would leave our own page in its place, and nobody would know why. */
function checkNames(
  folder: string,
  files: ConfigFiles,
  read: (name: string) => string | undefined,
): readonly ConfigFault[] {
  const fault = (problem: string): ConfigFault => settingFault('PAGES_DIR', settings.PAGES_DIR, problem)
  const known = knownNames.join(', ')
  // Dots begin what Kubernetes and editors keep beside the files.
  const strange = (files.listFolder?.(folder) ?? []).filter(
    (name) => !name.startsWith('.') && !knownNames.includes(name),
  )
  if (strange.length > 0) return [fault(`names a folder with ${strange.join(', ')}; known are ${known}`)]
  return knownNames.some((name) => read(name) !== undefined)
    ? []
    : [fault(`names a folder without any of ${known}`)]
}

function readTemplate(
  name: string,
  text: string | undefined,
  rule: PageRule,
): { readonly template: PageTemplate | undefined; readonly faults: readonly ConfigFault[] } {
  if (text === undefined) return { template: undefined, faults: [] }
  const { template, faults } = parseTemplate(text, rule)
  return { template, faults: faults.map(({ line, problem }) => faultAt(name, line, '', problem)) }
}

/** It goes into a style element, which this would end. */
function checkStyle(styleSheet: string | undefined): readonly ConfigFault[] {
  const at = styleSheet?.search(/<\/style/i) ?? -1
  if (styleSheet === undefined || at === -1) return []
  return [faultAt(names.style, styleSheet.slice(0, at).split('\n').length, '', 'holds </style')]
}

function readTexts(text: string | undefined): {
  readonly languages: Readonly<Record<string, PageLanguage>>
  readonly faults: readonly ConfigFault[]
} {
  if (text === undefined) return { languages: {}, faults: [] }
  const source = readYaml(text)
  if (source.faults.length > 0) {
    const faults = source.faults.map(({ line, problem }) => faultAt(names.texts, line, '', problem))
    return { languages: {}, faults }
  }
  const parsed = pageTextsSchema.safeParse(source.value)
  const places = (parsed.error?.issues ?? []).flatMap(toPlaces)
  return { languages: parsed.data ?? {}, faults: inOrder(places, source, names.texts) }
}
