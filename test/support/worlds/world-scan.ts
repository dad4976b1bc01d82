import type { Answer } from '../exchange.ts'
import type { Gate } from '../fronts/gate.ts'
import { providerPaths, testClient } from '../provider/oidc-provider.ts'
import { createLeakScan, type LeakScan, type SecretKind } from './leak-scan.ts'
import type { World } from './world.ts'

/** What of a world the scan looks at. */
type ScannedWorld = Pick<
  World,
  'provider' | 'api' | 'baseUrl' | 'browsers' | 'gateways' | 'secrets' | 'redisContent' | 'collected'
>

/**
 * Looks for every secret of a run in every place of it: what browsers received, where they were sent, what gateways wrote, what Redis
 * was told, what reached the API.
 */
export function scanWorld(world: ScannedWorld): LeakScan {
  const scan = createLeakScan()
  scan.secret('client secret', testClient.secret)
  for (const secret of world.secrets) scan.secret('session secret', secret)
  collectFromProvider(scan, world.provider.gate)
  for (const { history } of world.browsers) {
    for (const answer of history) collectFromBrowser(scan, answer, world)
  }
  for (const [index, gateway] of world.gateways.entries()) {
    scan.surface(`log of gateway ${index + 1}`, gateway.output())
  }
  scan.surface('Redis', world.redisContent())
  for (const [name, content] of world.collected) scan.surface(name, content)
  for (const request of world.api.requests) {
    scan.surface(`request to the API, ${request.target}`, JSON.stringify(request), ['access token'])
  }
  return scan
}

function collectFromProvider(scan: LeakScan, gate: Gate): void {
  for (const { path, requestBody, responseBody } of gate.passed) {
    if (path !== providerPaths.token) continue
    const sent = new URLSearchParams(requestBody)
    addAll(scan, sent.get('code'), sent.get('code_verifier'), sent.get('refresh_token'))
    const got = parseJson(responseBody)
    addTokens(scan, got.access_token, got.refresh_token, got.id_token)
  }
}

function addAll(
  scan: LeakScan,
  code: string | null,
  verifier: string | null,
  refreshToken: string | null,
): void {
  if (code !== null) scan.secret('authorization code', code)
  if (verifier !== null) scan.secret('code verifier', verifier)
  if (refreshToken !== null) scan.secret('refresh token', refreshToken)
}

function addTokens(scan: LeakScan, access: unknown, refresh: unknown, id: unknown): void {
  if (typeof access === 'string') scan.secret('access token', access)
  if (typeof refresh === 'string') scan.secret('refresh token', refresh)
  if (typeof id === 'string') scan.secret('id token', id)
}

function collectFromBrowser(scan: LeakScan, answer: Answer, world: ScannedWorld): void {
  if (answer.url.origin !== world.baseUrl.origin) return
  const place = `${answer.method} ${answer.url.pathname} → ${answer.status}`
  // The provider puts the code into the callback's address; nobody can help that.
  const inAddress: SecretKind[] = answer.url.pathname.endsWith('/callback') ? ['authorization code'] : []
  scan.surface(`address of ${place}`, answer.url.href, inAddress)
  const headers = JSON.stringify(answer.headers)
  scan.surface(`headers of ${place}`, withoutHint(headers, world.provider.issuer))
  scan.surface(`body of ${place}`, withoutHint(answer.text(), world.provider.issuer))
  for (const setCookie of answer.setCookies) {
    const value = /^[^=]+=([^;]*)/.exec(setCookie)?.[1] ?? ''
    if (value !== '') scan.secret('cookie value', value)
    scan.surface(`Set-Cookie of ${place}`, setCookie, ['cookie value'])
  }
}

/** The one exception: the hint in the provider's end-session address. */
function withoutHint(text: string, issuer: string): string {
  const endSession = `${issuer.replace(/\/$/, '')}${providerPaths.logout}?`
  return text.replaceAll(/https?:\/\/[^\s"<>]+/g, (address) =>
    address.startsWith(endSession) ? address.replace(/id_token_hint=[\w.-]+/, '') : address,
  )
}

function parseJson(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return {}
  }
}
