import { randomBytes } from 'node:crypto'
import type { Config } from '../../config/load-config.ts'
import { createProvider } from '../../oidc/provider/create-provider.ts'
import type { ProviderOptions } from '../../oidc/provider/options.ts'
import { quietTelemetry } from '../quiet-telemetry.ts'
import { probeCodeGrant, type TokenAnswer } from './token-probe.ts'

/**
 * Whether the token endpoint looks at the client's proof: `unchecked`, a wrong one does as well; `unclear`, it looks at the code before it
 * looks at the client, so that nothing can be seen with a made-up code.
 */
export type ProofCare = 'checked' | 'unchecked' | 'unclear'

/** Tries a wrong proof on purpose, once: a wrong secret, or none where the client proves itself another way. */
export async function tryWrongProof(config: Config, now: () => number): Promise<ProofCare> {
  const wrong = withoutProof(config)
  if ((await answerTo(wrong, now)).kind !== 'client_accepted') return 'checked'
  const stranger = { ...wrong, clientId: madeUp() }
  return (await answerTo(stranger, now)).kind === 'client_accepted' ? 'unclear' : 'unchecked'
}

const madeUp = (): string => randomBytes(24).toString('base64url')

function withoutProof(config: Config): ProviderOptions {
  const bare = {
    ...config,
    clientKey: undefined,
    clientAssertionFile: undefined,
    clientCertificate: undefined,
    clientCertificateKey: undefined,
  }
  const { clientAuthentication: method } = config
  const showsSecret = config.clientSecret !== undefined && /^(?:auto$|client_secret)/.test(method)
  return showsSecret
    ? { ...bare, clientSecret: madeUp() }
    : { ...bare, clientSecret: undefined, clientAuthentication: 'none' }
}

async function answerTo(options: ProviderOptions, now: () => number): Promise<TokenAnswer> {
  const provider = createProvider(options, { telemetry: quietTelemetry(), now })
  try {
    return await probeCodeGrant(provider, now)
  } finally {
    await provider.close()
  }
}
