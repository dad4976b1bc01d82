import type { Config } from '../config/load-config.ts'
import { usesRedis } from '../config/settings/rules.ts'
import { createProvider } from '../oidc/provider/create-provider.ts'
import { providerHints } from '../oidc/provider/profiles/hints.ts'
import type { Provider } from '../oidc/provider/provider.ts'
import { diagnoseRedis } from '../session/store/redis/diagnosis/diagnosis.ts'
import type { DoctorContext } from './check.ts'
import { SkipCheck } from './finding.ts'
import { publishClientKeys } from './front/client-keys.ts'
import { examineFront } from './front/front.ts'
import type { Listener } from './front/listener.ts'
import { type LoginDesk, realLogin } from './login/real-login.ts'
import { plainText } from './plain-text.ts'
import { authorizationAnswer } from './provider/authorization-answer.ts'
import { discover } from './provider/discovery.ts'
import { tryWrongProof } from './provider/loose-proof.ts'
import { probeCodeGrant } from './provider/token-probe.ts'
import { quietTelemetry } from './quiet-telemetry.ts'

/** What the examination is handed. */
export interface ContextDependencies {
  /** The clock, epoch milliseconds. */
  readonly now: () => number
  readonly desk: LoginDesk
}

/** A context, and how to end what it has opened. */
export interface OpenContext {
  readonly context: DoctorContext
  close(): Promise<void>
}

/** Prepares the examination. Nothing is opened or asked before a check wants to know. */
export function createDoctorContext(config: Config, { now, desk }: ContextDependencies): OpenContext {
  const opened: Provider[] = []
  let keySite: Listener | undefined
  // Only one can listen in the gateway's place.
  async function leavePlace(): Promise<void> {
    await keySite?.close()
    keySite = undefined
  }
  let hints = providerHints(config.issuerUrl)
  const discovery = once(async () => {
    const found = await discover(config, now)
    // A domain of one's own tells nothing about the provider behind it; the document may.
    if (found.kind === 'found') hints = providerHints(config.issuerUrl, found.metadata)
    return found
  })
  const provider = once(async () => {
    await metadata()
    const created = createProvider(config, { telemetry: quietTelemetry(), now })
    opened.push(created)
    keySite = await publishClientKeys(config, created)
    await expectUsable(created)
    return created
  })
  async function metadata() {
    const found = await discovery()
    if (found.kind !== 'found') throw new SkipCheck('The provider was not discovered.')
    return found.metadata
  }
  const context: DoctorContext = {
    config,
    get hints() {
      return hints
    },
    now,
    discovery,
    metadata,
    provider,
    authorization: once(async () => {
      await expectBegins(await provider())
      return authorizationAnswer(config, config.baseUrl, now)
    }),
    credentials: once(async () => probeCodeGrant(await provider(), now)),
    proofCare: once(() => tryWrongProof(config, now)),
    redis: once(async () => {
      if (!usesRedis(config)) throw new SkipCheck('Sessions are not kept in Redis.')
      return diagnoseRedis(config, now)
    }),
    front: once(async () => {
      await leavePlace()
      return examineFront({ config })
    }),
    login: once(async () => {
      await provider()
      await leavePlace()
      return realLogin(context, desk)
    }),
  }
  async function close(): Promise<void> {
    await leavePlace()
    await Promise.all(opened.map((one) => one.close()))
  }
  return { context, close }
}

const anyLogin = { returnTo: '/', parameters: {}, endsSession: undefined }

/** The gateway is stricter than the checks of discovery are, and nothing can be tried without it. */
async function expectUsable(provider: Provider): Promise<void> {
  await provider.beginLogin(anyLogin).catch(() => {
    // The document is in order then, and a pushed request has failed, which is another check's finding.
    if (provider.status().ready) return
    const reason = plainText(provider.status().reason ?? 'for a reason it does not tell')
    throw new SkipCheck(`The gateway does not accept this discovery document: ${reason}.`)
  })
}

/** With pushed requests a login can fail before there is anything to look at. */
async function expectBegins(provider: Provider): Promise<void> {
  await provider.beginLogin(anyLogin).catch(() => {
    throw new SkipCheck('No login can be begun.')
  })
}

/** Does it when it is first asked for; everybody gets the same answer, or failure. */
function once<Result>(work: () => Promise<Result>): () => Promise<Result> {
  let result: Promise<Result> | undefined
  return () => {
    result ??= work()
    return result
  }
}
