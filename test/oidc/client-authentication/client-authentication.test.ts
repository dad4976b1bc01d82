import type { CustomFetch } from 'openid-client'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  type ClientAuthentication,
  type ClientAuthenticationOptions,
  createClientAuthentication,
} from '../../../src/oidc/client-authentication/client-authentication.ts'
import { createClientKeys } from '../../../src/oidc/client-authentication/client-keys.ts'
import { assertionAudience } from '../../../src/oidc/provider/assertion-audience.ts'
import { silentLogger } from '../../../src/telemetry/logs/logger.ts'

/** What a request showed. */
interface Shown {
  readonly basic: string | null
  readonly form: Readonly<Record<string, string>>
}

let requests: Shown[]
let answer: (shown: Shown) => Response

const provider: CustomFetch = async (_url, { headers, body }) => {
  const shown = {
    basic: new Headers(headers).get('authorization'),
    form: Object.fromEntries(new URLSearchParams(String(body))),
  }
  requests.push(shown)
  return answer(shown)
}

beforeEach(() => {
  requests = []
  answer = () => Response.json({ access_token: 'x' })
})

const open = (clientAuthentication: ClientAuthenticationOptions['clientAuthentication'] = 'auto') =>
  openWith({ clientSecret: 'my&secret', clientAuthentication })

function openWith(options: Partial<ClientAuthenticationOptions>): ClientAuthentication {
  const all = {
    clientId: 'my:client',
    clientSecret: undefined,
    clientAuthentication: 'auto',
    ...options,
  } as const
  return createClientAuthentication(all, createClientKeys(all, silentLogger()), silentLogger(), {
    audienceAt: assertionAudience,
  })
}

/** A token request as the OpenID library makes it. */
async function ask(
  { apply, attempting }: ClientAuthentication,
  announced?: readonly string[],
  place: 'token' | 'pushed_authorization' = 'token',
) {
  const metadata = {
    issuer: 'x',
    ...(announced && { token_endpoint_auth_methods_supported: [...announced] }),
  }
  const body = new URLSearchParams({ grant_type: 'authorization_code', code: 'the code' })
  const headers = new Headers()
  const done: unknown = apply(metadata, { client_id: 'my:client' }, body, headers)
  await done
  const init = {
    method: 'POST',
    body,
    headers: Object.fromEntries(headers.entries()),
    redirect: 'manual',
  } as const
  return attempting(provider, place)('http://127.0.0.1/token', init)
}

const inBody = {
  basic: null,
  form: {
    grant_type: 'authorization_code',
    code: 'the code',
    client_id: 'my:client',
    client_secret: 'my&secret',
  },
}
const inHeader = {
  basic: `Basic ${btoa('my%3Aclient:my%26secret')}`,
  form: { grant_type: 'authorization_code', code: 'the code' },
}
const refused = (status: number, error: string) => Response.json({ error }, { status })

describe('a client secret', () => {
  it.each([
    [undefined, inBody],
    [['client_secret_basic', 'client_secret_post'], inBody],
    [['client_secret_post'], inBody],
    [['client_secret_basic', 'private_key_jwt'], inHeader],
    [['private_key_jwt'], inBody],
  ])('goes first as the provider announces: %j', async (announced, shown) => {
    expect((await ask(open(), announced)).status).toBe(200)
    expect(requests).toEqual([shown])
  })

  it.each([
    [401, 'invalid_client'],
    [400, 'invalid_client'],
    [401, 'access_denied'],
  ])('goes the other way after %i %s, and from then on at once', async (status, error) => {
    answer = ({ basic }) => (basic === null ? refused(status, error) : Response.json({}))
    const authentication = open()
    expect((await ask(authentication)).status).toBe(200)
    expect((await ask(authentication)).status).toBe(200)
    expect(requests).toEqual([inBody, inHeader, inHeader])
  })

  it.each([
    [400, 'invalid_grant'],
    [403, 'invalid_grant'],
    [400, 'invalid_target'],
  ])(
    'has gone the right way when the second way ends in %i %s, which then is the answer',
    async (status, error) => {
      answer = ({ basic }) => (basic === null ? refused(401, 'invalid_client') : refused(status, error))
      const authentication = open()
      expect(await (await ask(authentication)).json()).toEqual({ error })
      await ask(authentication)
      expect(requests).toEqual([inBody, inHeader, inHeader])
    },
  )

  it.each([
    [400, 'invalid_request'],
    [400, 'unauthorized_client'],
    [503, 'invalid_grant'],
    [429, 'invalid_grant'],
  ])('is not known to have gone the right way by %i %s', async (status, error) => {
    answer = ({ basic }) => (basic === null ? refused(401, 'invalid_client') : refused(status, error))
    expect(await (await ask(open())).json()).toEqual({ error: 'invalid_client' })
  })

  it('that is wrong is answered with the first refusal', async () => {
    answer = ({ basic }) => refused(401, basic === null ? 'invalid_client' : 'other')
    expect(await (await ask(open())).json()).toEqual({ error: 'invalid_client' })
    expect(requests).toEqual([inBody, inHeader])
  })

  it('that is wrong is answered with the second refusal where the first was of the way alone', async () => {
    const way = "The client supports 'client_secret_basic', but method 'client_secret_post' was requested."
    answer = ({ basic }) =>
      Response.json(
        { error: 'invalid_client', error_description: basic === null ? way : 'The secrets differ.' },
        { status: 401 },
      )
    const body: unknown = await (await ask(open())).json()
    expect(body).toMatchObject({ error_description: 'The secrets differ.' })
    expect(requests).toEqual([inBody, inHeader])
  })

  it('that was accepted once is not shown the other way when it is refused later', async () => {
    const authentication = open()
    await ask(authentication)
    answer = () => refused(401, 'invalid_client')
    expect((await ask(authentication)).status).toBe(401)
    expect(requests).toEqual([inBody, inBody])
  })

  it.each([
    [400, 'invalid_grant'],
    [500, 'server_error'],
  ])('is not shown twice because of %i %s', async (status, error) => {
    answer = () => refused(status, error)
    expect((await ask(open())).status).toBe(status)
    expect(requests).toEqual([inBody])
  })

  it.each([
    [400, {}, 'use_dpop_nonce'],
    [401, {}, 'use_dpop_nonce'],
    [401, { 'www-authenticate': 'DPoP error="use_dpop_nonce"' }, 'invalid'],
  ])('is not shown twice because a nonce is wanted (%i %j %s)', async (status, headers, error) => {
    answer = () => Response.json({ error }, { status, headers })
    expect((await ask(open())).status).toBe(status)
    expect(requests).toEqual([inBody])
  })

  it('that goes the other way and lacks a nonce then is asked for once more, not refused', async () => {
    const authentication = open()
    answer = ({ basic }) => (basic === null ? refused(401, 'invalid_client') : refused(400, 'use_dpop_nonce'))
    expect(await (await ask(authentication)).json()).toEqual({ error: 'use_dpop_nonce' })
    answer = ({ basic }) => (basic === null ? refused(401, 'invalid_client') : Response.json({}))
    expect((await ask(authentication)).status).toBe(200)
    await ask(authentication)
    expect(requests.map(({ basic }) => basic !== null)).toEqual([false, true, false, true, true])
  })

  it('at the endpoint of pushed requests goes the other way too, and is learned by a refusal alone', async () => {
    const authentication = open()
    const push = () => ask(authentication, undefined, 'pushed_authorization')
    await push()
    answer = ({ basic }) => (basic === null ? refused(401, 'invalid_client') : Response.json({}))
    expect((await push()).status).toBe(200)
    expect((await push()).status).toBe(200)
    expect(requests.map(({ basic }) => basic !== null)).toEqual([false, false, true, true])
  })

  it('goes one way only when the settings say which', async () => {
    answer = () => refused(401, 'invalid_client')
    expect((await ask(open('client_secret_basic'))).status).toBe(401)
    expect(requests).toEqual([inHeader])
  })
})
