import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { examine } from '../../../src/doctor/examine.ts'
import type { DoctorReport } from '../../../src/doctor/report.ts'
import { freePort } from '../../support/ports.ts'
import { claimsOf } from '../../support/provider/oidc-provider.ts'
import {
  type ScriptedProvider,
  type ScriptedProviderOptions,
  startScriptedProvider,
} from '../../support/provider/scripted-provider.ts'
import { signIn } from './clinic.ts'

/** A provider and an API that do what a test tells them, and doctor's look at both. */
export interface ScriptedClinic {
  readonly provider: ScriptedProvider
  readonly env: Readonly<Record<string, string>>
  /** What the API answers from now on. */
  answer(listener: RequestListener): void
  /** The calls of the API: the tokens that came, `undefined` for none. */
  readonly tokens: (string | undefined)[]
  /** Back to what is sound. */
  heal(): void
  examine(env?: Readonly<Record<string, string | undefined>>, login?: boolean): Promise<DoctorReport>
  stop(): Promise<void>
}

/** What a sound provider's metadata say besides. */
const soundMembers = (issuer: string) => ({
  code_challenge_methods_supported: ['S256'],
  end_session_endpoint: `${issuer}/logout`,
  backchannel_logout_supported: true,
})

/** Opens it. */
export async function openScriptedClinic(
  options: Pick<ScriptedProviderOptions, 'path'> = {},
): Promise<ScriptedClinic> {
  const provider = await startScriptedProvider(options)
  const port = await freePort()
  const apiPort = await freePort()
  const tokens: (string | undefined)[] = []
  let api: RequestListener = demandToken
  const server: Server = createServer((request, response) => {
    tokens.push(tokenOf(request))
    api(request, response)
  })
  await new Promise<void>((resolve) => server.listen(apiPort, '127.0.0.1', resolve))
  const env = {
    ISSUER_URL: provider.issuer,
    CLIENT_ID: provider.clientId,
    CLIENT_SECRET: provider.clientSecret,
    API_AUDIENCE: provider.audience,
    API_URL: `http://127.0.0.1:${apiPort}`,
    BASE_URL: `http://127.0.0.1:${port}`,
    PORT: `${port}`,
    SCOPE: 'openid profile offline_access',
    SESSION_SECRET: 'session-secret-of-the-scripted-clinic-0123456789',
  }
  function heal(): void {
    for (const name of Object.keys(provider.faults)) Reflect.deleteProperty(provider.faults, name)
    provider.faults.discovery = (metadata) => ({ ...metadata, ...soundMembers(provider.issuer) })
    provider.faults.token = soundToken(provider)
    api = demandToken
    tokens.length = 0
  }
  heal()
  return {
    provider,
    env,
    tokens,
    answer(listener) {
      api = listener
    },
    heal,
    examine: (changes = {}, login = false) =>
      examine({
        env: { ...env, ...changes },
        version: '0.0.0',
        now: Date.now,
        desk: login ? { announce: (url) => void signIn(url), waitMs: 10_000 } : undefined,
        begin: () => undefined,
        tell: () => undefined,
      }),
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await provider.stop()
    },
  }
}

const demandToken: RequestListener = (request, response) =>
  void response.writeHead(tokenOf(request) === undefined ? 401 : 200).end()

/** The bearer token of a request. */
export function tokenOf({ headers }: IncomingMessage): string | undefined {
  return /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1]
}

/** As a provider does: first the client, then the grant; a code that was never issued has no nonce. */
export function soundToken({ clientId, clientSecret }: ScriptedProvider) {
  return (answer: Record<string, unknown>, form: URLSearchParams) => {
    if (form.get('client_id') !== clientId || form.get('client_secret') !== clientSecret)
      return { status: 401, body: { error: 'invalid_client' } }
    return isIssued(answer, form) ? undefined : { status: 400, body: { error: 'invalid_grant' } }
  }
}

/** Whether the code or refresh token of a request came from the scripted provider. */
export function isIssued(answer: Record<string, unknown>, form: URLSearchParams): boolean {
  const isCode = form.get('grant_type') === 'authorization_code'
  if (!isCode) return form.get('refresh_token')?.startsWith('rt-') === true
  return claimsOf(String(answer.id_token)).nonce !== undefined
}
