import { englishTexts, type PageLanguage, type PageTexts } from '../../config/pages/texts.ts'
import { type ProblemDocument, problemRules } from '../../errors/problem.ts'

/** What one reader's page is written in. */
export interface ShownTexts extends PageTexts {
  /** Language tag (BCP 47). */
  readonly lang: string
  /** Title and detail of a problem. What an error says of its own, and no table can know, stays as it is. */
  readonly ofProblem: (problem: ProblemDocument) => { readonly title: string; readonly detail: string }
}

/** Longer headers are no browser's. */
const longestHeader = 512

/**
 * Makes the choice of language by `Accept-Language` (RFC 9110 section 12.5.4).
 *
 * @param languages by tag; whoever prefers none of them gets the first, and without any everybody gets English
 */
export function createPageLanguages(
  languages: Readonly<Record<string, PageLanguage>>,
): (untrustedAcceptLanguage: string | undefined) => ShownTexts {
  const shown = Object.entries(languages).map(([lang, language]) => toShown(lang, language))
  const first = shown[0] ?? toShown('en', {})
  const byTag = new Map(shown.map((texts) => [texts.lang.toLowerCase(), texts]))
  return (untrustedAcceptLanguage) => {
    if (shown.length < 2) return first
    for (const tag of preferredTags(untrustedAcceptLanguage)) {
      const found = byTag.get(tag) ?? byTag.get(tag.split('-')[0] ?? '')
      if (found !== undefined) return found
    }
    return first
  }
}

function toShown(lang: string, { problems, ...texts }: PageLanguage): ShownTexts {
  const given = Object.entries(texts).filter(([, text]) => text !== undefined)
  return {
    ...englishTexts,
    ...Object.fromEntries(given),
    lang,
    ofProblem({ code, title, detail }) {
      const translated = problems?.[code]
      const isUsual = detail === problemRules[code].detail
      return {
        title: translated?.title ?? title,
        detail: isUsual ? (translated?.detail ?? detail) : detail,
      }
    },
  }
}

/** Lower-case tags, the most wanted first. */
function preferredTags(untrustedHeader = ''): readonly string[] {
  return untrustedHeader
    .slice(0, longestHeader)
    .toLowerCase()
    .split(',')
    .map((range) => {
      const [tag = '', ...parameters] = range.split(';').map((part) => part.trim())
      const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
      return { tag, weight: weight === undefined ? 1 : Number(weight) }
    })
    .filter(({ tag, weight }) => tag !== '' && weight > 0)
    .toSorted((one, other) => other.weight - one.weight)
    .map(({ tag }) => tag)
}
