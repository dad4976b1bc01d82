/** What only whoever carries a request can see to. */
const ofCarriers = [
  'connectTimeout',
  'firstByteTimeout',
  'idleTimeout',
  'streamIdleTimeout',
  'bodyLimit',
  'websocketMaxMessage',
  'forwardCookies',
  'forwardOrigin',
  'allowSetCookies',
  'allowRedirectHosts',
  'activeContent',
  'tls',
  'maxInFlight',
  'maxInFlightPerSession',
] as const

type Written = { readonly prefix: string; readonly upstream: string } & {
  readonly [Name in (typeof ofCarriers)[number]]?: unknown
}

/** What does not fit who carries a route's requests: each a key and the end of a sentence that begins with it. */
export function carrierProblems(written: Written): readonly (readonly [key: string, problem: string])[] {
  if (written.upstream !== 'external')
    return written.prefix === '/' ? [['prefix', 'can be / alone only with upstream: external']] : []
  return ofCarriers
    .filter((name) => written[name] !== undefined)
    .map((name) => [name, 'has no meaning with upstream: external, where another proxy carries'])
}
