import { describe, expect, it } from 'vitest'
import type { BoundedFetch } from '../../../src/network/provider-network.ts'
import { proving } from '../../../src/oidc/provider/proving.ts'
import { createDpopKey } from '../../../src/signing/dpop-key.ts'
import { createNonceMemory } from '../../../src/signing/nonces.ts'
import { claimsOf } from '../../support/api/proof-verifier.ts'

const url = 'https://login.example.test/token'
const init = { method: 'POST', headers: {}, body: undefined, redirect: 'manual' } as const
const key = createDpopKey()

/** One exchange with a provider that answers so, and the nonces of its proofs. */
function open(answers: readonly (readonly [status: number, nonce: string | undefined])[]) {
  const nonces = createNonceMemory()
  const sent: unknown[] = []
  const left = [...answers]
  const provider: BoundedFetch = (_url, { headers }) => {
    sent.push(claimsOf(headers.dpop).nonce)
    const [status, nonce] = left.shift() ?? [200, undefined]
    return Promise.resolve(
      new Response(null, { status, headers: nonce === undefined ? {} : { 'dpop-nonce': nonce } }),
    )
  }
  const ask = proving(provider, { key }, { nonces, now: Date.now })
  return { nonces, sent, ask: () => ask(url, init) }
}

describe('a request to a provider that was refused for want of a nonce', () => {
  it.each([400, 401])(
    'is given the very nonce that it was refused with (%i), whatever others have learned meanwhile',
    async (status) => {
      const { nonces, sent, ask } = open([[status, 'of-this-node']])
      await ask()
      nonces.learn(new URL(url).origin, 'of-another-node', false)
      await ask()
      expect(sent).toEqual([undefined, 'of-this-node'])
      await ask()
      expect(sent.at(-1)).toBe('of-another-node')
    },
  )

  it.each([
    ['names none', undefined],
    ['names what is none', 'no nonce'],
  ])('is given the newest when the refusal %s', async (_what, named) => {
    const { nonces, sent, ask } = open([[400, named]])
    await ask()
    nonces.learn(new URL(url).origin, 'newest', false)
    await ask()
    expect(sent).toEqual([undefined, 'newest'])
  })

  it('tells the nonce of any other answer to all', async () => {
    const { nonces, sent, ask } = open([[404, 'first']])
    await ask()
    expect(nonces.newest(new URL(url).origin)).toBe('first')
    nonces.learn(new URL(url).origin, 'second', false)
    await ask()
    expect(sent).toEqual([undefined, 'second'])
  })
})
