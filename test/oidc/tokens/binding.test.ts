import { describe, expect, it } from 'vitest'
import { bindingOf, dpopKeyOf } from '../../../src/oidc/tokens/binding.ts'
import type { TokenBinding } from '../../../src/oidc/tokens/token-set.ts'
import { createDpopKey } from '../../../src/signing/dpop-key.ts'

/** As a record that is read again holds it. */
const reread = (binding: TokenBinding): TokenBinding => structuredClone(binding)

describe("the key of a session's tokens", () => {
  it('is opened once, however often its record is read', () => {
    const binding = bindingOf(createDpopKey())
    const first = dpopKeyOf(reread(binding))
    expect(dpopKeyOf(reread(binding))).toBe(first)
  })

  it("is never another session's", () => {
    const [one, other] = [createDpopKey(), createDpopKey()]
    for (const key of [one, other, one])
      expect(dpopKeyOf(reread(bindingOf(key)))?.thumbprint).toBe(key.thumbprint)
  })

  it('is none where the record holds none', () => {
    expect(() => dpopKeyOf({ kind: 'dpop', privateJwk: { kty: 'EC' } })).toThrow(TypeError)
    expect(dpopKeyOf({ kind: 'mtls', certificateThumbprint: 'x' })).toBeUndefined()
    expect(dpopKeyOf(undefined)).toBeUndefined()
  })
})
