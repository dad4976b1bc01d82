import { describe, expect, it } from 'vitest'
import { createNonceMemory } from '../../src/signing/nonces.ts'

const api = 'https://api.test'

describe('the memory of nonces', () => {
  it('knows the newest of each origin', () => {
    const nonces = createNonceMemory()
    expect(nonces.newest(api)).toBeUndefined()
    nonces.learn(api, 'a', false)
    nonces.learn('https://other.test', 'x', false)
    nonces.learn(api, 'b', false)
    expect([nonces.newest(api), nonces.newest('https://other.test')]).toEqual(['b', 'x'])
  })

  it('does not go back to one that was replaced because an answer comes late, but where a refusal says so', () => {
    const nonces = createNonceMemory()
    for (const nonce of ['a', 'b', 'a']) nonces.learn(api, nonce, false)
    expect(nonces.newest(api)).toBe('b')
    nonces.learn(api, 'a', true)
    expect(nonces.newest(api)).toBe('a')
  })

  it.each([null, undefined, '', 'a b', 'a\r\nb', 'ä', 'x'.repeat(1_025)])('passes over %j', (untrusted) => {
    const nonces = createNonceMemory()
    nonces.learn(api, 'a', false)
    nonces.learn(api, untrusted, true)
    expect(nonces.newest(api)).toBe('a')
  })

  it('takes any visible characters, and so much of them as a server may need', () => {
    const nonces = createNonceMemory()
    nonces.learn(api, '";#\\{}', false)
    expect(nonces.newest(api)).toBe('";#\\{}')
  })
})
