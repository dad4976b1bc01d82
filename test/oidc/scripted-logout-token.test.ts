import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LogoutTokenError } from '../../src/oidc/logout-token.ts'
import type { Provider } from '../../src/oidc/provider.ts'
import { logIn, openProvider } from '../support/scripted-login.ts'
import {
  newSigningKey,
  type ScriptedProvider,
  signWith,
  startScriptedProvider,
} from '../support/scripted-provider.ts'

let scripted: ScriptedProvider
let provider: Provider
let nowMs: number

beforeEach(async () => {
  nowMs = Date.now()
  scripted = await startScriptedProvider()
  provider = openProvider(scripted, {}, () => nowMs)
})

afterEach(async () => {
  await provider.close()
  await scripted.stop()
})

async function sendForgeries(count: number): Promise<void> {
  const forger = await newSigningKey('forged')
  for (let number = 0; number < count; number += 1) {
    const forged = await signWith(forger, { iss: scripted.issuer }, { kid: `forged-${number}` })
    await expect(provider.verifyLogoutToken(forged)).rejects.toBeInstanceOf(LogoutTokenError)
  }
}

describe('a logout token', () => {
  it('of the provider is accepted', async () => {
    const token = await scripted.logoutToken({}, { typ: 'logout+jwt' })
    expect(await provider.verifyLogoutToken(token)).toMatchObject({ subject: 'alice' })
  })

  it('that is an ID token is refused', async () => {
    const { idToken } = await logIn(scripted, provider)
    await expect(provider.verifyLogoutToken(idToken)).rejects.toBeInstanceOf(LogoutTokenError)
  })

  it('signed with a new key is accepted', async () => {
    await logIn(scripted, provider)
    await scripted.rotateKeys()
    expect(await provider.verifyLogoutToken(await scripted.logoutToken())).toMatchObject({ subject: 'alice' })
  })
})

describe('forged logout tokens with unknown keys', () => {
  it('cause one fetch of the keys per cool-down', async () => {
    await logIn(scripted, provider)
    const before = scripted.count('/jwks')
    await sendForgeries(8)
    expect(scripted.count('/jwks')).toBe(before + 1)
    nowMs += 30_000
    await sendForgeries(3)
    expect(scripted.count('/jwks')).toBe(before + 2)
  })

  it('do not stop a login after a rotation', async () => {
    await logIn(scripted, provider)
    await sendForgeries(8)
    await scripted.rotateKeys()
    await expect(logIn(scripted, provider)).resolves.toMatchObject({ identity: { subject: 'alice' } })
  })
})
