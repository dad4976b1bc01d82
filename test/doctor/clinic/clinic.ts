import { randomBytes } from 'node:crypto'
import { examine } from '../../../src/doctor/examine.ts'
import type { CheckedFinding, DoctorReport } from '../../../src/doctor/report.ts'
import { startTestApi, type TestApi } from '../../support/api/api.ts'
import { createBrowser } from '../../support/browser/browser-client.ts'
import { freePort } from '../../support/ports.ts'
import {
  apiAudience,
  startTestProvider,
  type TestProvider,
  testClient,
} from '../../support/provider/oidc-provider.ts'
import { type RedisServer, startRedis } from '../../support/redis/redis.ts'

/** APIs that are registered at the provider of the clinic, besides the one that is well. */
export const audiences = {
  shared: 'https://shared-secret.example.test',
  withoutOffline: 'https://no-offline.example.test',
} as const

/** How one examination differs from that of the healthy configuration. */
export interface Ailment {
  readonly env?: Readonly<Record<string, string | undefined>>
  /** What our own clock is ahead, milliseconds. */
  readonly aheadMs?: number
  /** Signs in when asked to, as this does; `false`: nobody ever does. */
  readonly login?: boolean | ((url: string) => Promise<unknown>)
  readonly waitMs?: number
}

/** A healthy configuration with everything around it, to be made ill in one place at a time. */
export interface Clinic {
  readonly env: Readonly<Record<string, string>>
  readonly provider: TestProvider
  readonly api: TestApi
  readonly redis: RedisServer
  examine(ailment?: Ailment): Promise<DoctorReport>
  stop(): Promise<void>
}

/** Every secret of the clinic; none may ever be in a report. */
export const secrets = {
  session: `session-${randomBytes(24).toString('base64url')}`,
  client: testClient.secret,
}

const permissions = ['read:orders', 'admin:orders']

/** Builds it. */
export async function openClinic(): Promise<Clinic> {
  const port = await freePort()
  const baseUrl = `http://127.0.0.1:${port}`
  const provider = await startTestProvider({
    baseUrl,
    backchannelLogoutUrl: null,
    apis: [
      { identifier: apiAudience, permissions },
      { identifier: audiences.shared, permissions, signingAlgorithm: 'HS256' },
      { identifier: audiences.withoutOffline, permissions, allowOfflineAccess: false },
    ],
  })
  const redis = await startRedis({ conf: { appendonly: 'yes' } })
  const jwksUri = `${provider.issuer}.well-known/jwks.json`
  const api = await startTestApi({ issuer: provider.issuer, audience: apiAudience, jwksUri })
  const env = {
    ISSUER_URL: provider.issuer,
    CLIENT_ID: testClient.id,
    CLIENT_SECRET: secrets.client,
    API_AUDIENCE: apiAudience,
    API_URL: api.url,
    BASE_URL: baseUrl,
    PORT: `${port}`,
    SCOPE: 'openid profile email offline_access read:orders',
    SESSION_SECRET: secrets.session,
    REDIS_URL: redis.url,
  }
  return {
    env,
    provider,
    api,
    redis,
    examine: (ailment = {}) => examineOnce({ ...env, ...ailment.env }, ailment),
    async stop() {
      await provider.stop()
      await api.stop()
      await redis.stop()
    },
  }
}

async function examineOnce(
  env: Readonly<Record<string, string | undefined>>,
  { aheadMs = 0, login, waitMs = 10_000 }: Ailment,
): Promise<DoctorReport> {
  const announce = (url: string): void => {
    if (typeof login === 'function') void login(url)
    else if (login === true) void signIn(url)
  }
  return examine({
    env,
    version: '0.0.0',
    now: () => Date.now() + aheadMs,
    desk: login === undefined ? undefined : { announce, waitMs },
    begin: () => undefined,
    tell: () => undefined,
  })
}

/** Opens the address as a person would; the provider signs in by itself. Resolves to the text of the last page. */
export async function signIn(url: string): Promise<string> {
  const landing = await createBrowser({ baseUrl: new URL(url) })
    .tab()
    .open(url)
  return landing.answer.body.toString()
}

/** The findings that are no `pass`, by their check. */
export function troubles(report: DoctorReport): readonly string[] {
  return report.checks
    .filter(({ status }) => status === 'fail' || status === 'warn')
    .map(({ check, status }) => `${status} ${check}`)
}

/** The first finding of a check. */
export function findingOf(report: DoctorReport, check: string): CheckedFinding {
  const found = report.checks.find((finding) => finding.check === check)
  if (found === undefined) throw new Error(`no finding of ${check}`)
  return found
}
