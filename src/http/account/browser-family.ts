/** What a user may see of a browser in their list of sessions. */
export type BrowserFamily = 'Edge' | 'Opera' | 'Samsung Internet' | 'Firefox' | 'Chrome' | 'Safari' | 'other'

/** Longest user agent that is looked at, characters. */
const maxUserAgent = 512

/** In this order, because most browsers name those they descend from as well. */
const families: readonly (readonly [RegExp, BrowserFamily])[] = [
  [/\bEdg(?:e|A|iOS)?\//, 'Edge'],
  [/\b(?:OPR|OPiOS|Opera)\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\b(?:Firefox|FxiOS)\//, 'Firefox'],
  [/\b(?:Chrome|Chromium|CriOS)\//, 'Chrome'],
  [/\bVersion\/[\d.]+ (?:Mobile\/\w+ )?Safari\//, 'Safari'],
]

/** The family of a browser and nothing more: versions and devices would be personal data that nobody needs. */
export function browserFamily(untrustedUserAgent: string | undefined): BrowserFamily {
  const agent = (untrustedUserAgent ?? '').slice(0, maxUserAgent)
  return families.find(([pattern]) => pattern.test(agent))?.[1] ?? 'other'
}
