import { afterEach, expect, it } from 'vitest'
import { allowedAlgorithms } from '../../../src/oidc/provider/algorithms.ts'
import { expectRefusedLogin, type FaultWorld, startFaultWorld } from '../../support/worlds/fault-world.ts'

let world: FaultWorld
afterEach(() => world?.stop())

const form = { 'content-type': 'application/x-www-form-urlencoded' }
const logOut = async () =>
  world.request(
    'POST',
    '/backchannel-logout',
    form,
    `${new URLSearchParams({ logout_token: await world.provider.logoutToken() })}`,
  )

it.each<readonly [string, Readonly<Record<string, string>>, readonly string[]]>([
  ['ID_TOKEN_ALGORITHM names', { ID_TOKEN_ALGORITHM: 'ES256,eddsa' }, ['RS256']],
  ['the provider announces', {}, ['ES256']],
])(
  'tokens signed otherwise than %s are refused, of the login and of a logout alike',
  async (_who, settings, announced) => {
    world = await startFaultWorld(settings, (provider) => {
      provider.faults.discovery = (metadata) => ({
        ...metadata,
        id_token_signing_alg_values_supported: announced,
      })
    })
    expectRefusedLogin(await world.logIn(), 'login_refused')
    expect(world.log()).toContain('"check":"id_token.alg"')
    expect((await logOut()).status).toBe(400)
    expect(world.log()).toMatch(/"check":"logout_token\.alg","expected":"ES256[^"]*","received":"RS256"/)
  },
)

it('allows what is configured, else what is announced, else all that is safe; both names of EdDSA are one', () => {
  const announcing = (...names: string[]) => ({ id_token_signing_alg_values_supported: names })
  expect(allowedAlgorithms(['ES256'], announcing('RS256'))).toEqual(['ES256'])
  expect(allowedAlgorithms(undefined, announcing('HS256', 'none', 'PS256'))).toEqual(['PS256'])
  expect(allowedAlgorithms(undefined, announcing('EdDSA'))).toEqual(['EdDSA', 'Ed25519'])
  expect(allowedAlgorithms(undefined, announcing('HS256'))).toEqual([])
  expect(allowedAlgorithms(undefined, {})).toHaveLength(11)
})
