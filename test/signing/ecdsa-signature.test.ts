import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { toJoseSignature } from '../../src/signing/ecdsa-signature.ts'

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

/** DER of two integers, each as its bytes stand. */
function derOf(...integers: readonly Buffer[]): Buffer {
  const parts = integers.map((integer) => Buffer.concat([Buffer.from([0x02, integer.length]), integer]))
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([0x30, body.length]), body])
}

describe('toJoseSignature', () => {
  it('makes what verifies in the fixed-length form, 3,000 times', () => {
    const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const
    for (let round = 0; round < 3_000; round += 1) {
      const bytes = Buffer.from(`input ${round}`)
      expect(verify('sha256', bytes, key, toJoseSignature(sign('sha256', bytes, privateKey)))).toBe(true)
    }
  })

  it('pads a short integer and drops the zero of a sign', () => {
    const short = Buffer.from([0x05])
    const long = Buffer.concat([Buffer.from([0]), Buffer.alloc(32, 0xff)])
    const signature = toJoseSignature(derOf(short, long))
    expect(signature).toEqual(Buffer.concat([Buffer.alloc(31), short, Buffer.alloc(32, 0xff)]))
  })

  it('refuses what holds no two integers', () => {
    expect(() => toJoseSignature(Buffer.from([0x30, 0x00]))).toThrow('no ECDSA signature')
    expect(() => toJoseSignature(derOf(Buffer.from([1])))).toThrow('no ECDSA signature')
  })
})
