import { expect, it } from 'vitest'
import { openProvider } from '../support/scripted-login.ts'
import { startScriptedProvider } from '../support/scripted-provider.ts'

async function statusAfter(
  path: string,
  fault: (metadata: Record<string, unknown>, issuer: string) => object,
) {
  const scripted = await startScriptedProvider({ path })
  scripted.faults.discovery = (metadata) => ({ ...metadata, ...fault(metadata, scripted.issuer) })
  const provider = openProvider(scripted)
  try {
    await provider
      .beginLogin({ returnTo: '/', parameters: {}, endsSession: undefined })
      .catch(() => undefined)
    return provider.status()
  } finally {
    await provider.close()
    await scripted.stop()
  }
}

it.each(['', '/realms/a'])('an issuer "%s" that lacks a slash is refused with that hint', async (path) => {
  const status = await statusAfter(path, (_metadata, issuer) => ({ issuer: `${issuer}/` }))
  expect(status).toMatchObject({
    ready: false,
    reason: expect.stringContaining('only the trailing slash differs'),
  })
})

it('another issuer is refused by its name', async () => {
  const status = await statusAfter('', () => ({ issuer: 'https://other.example.test/' }))
  expect(status).toMatchObject({
    ready: false,
    reason: expect.stringMatching(/https:\/\/other\.example\.test\/$/),
  })
})

it.each(['token_endpoint', 'jwks_uri'])('metadata without %s over http or https is refused', async (name) => {
  for (const value of [undefined, 'ftp://127.0.0.1/', 'nothing']) {
    const status = await statusAfter('', () => ({ [name]: value }))
    expect(status).toMatchObject({ ready: false, reason: expect.stringContaining(name) })
  }
})
