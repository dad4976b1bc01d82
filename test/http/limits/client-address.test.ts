import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  createTrustedNetworks,
  findClient,
  isPrivateAddress,
} from '../../../src/http/limits/client-address.ts'

const nobody = createTrustedNetworks([])
const proxies = createTrustedNetworks(['10.0.0.0/8', 'fd00::/8', '203.0.113.7'])

/** A request of these addresses, the nearest first. */
const from = (...addresses: readonly string[]) => ({ addresses, untrustedForwardedFor: undefined })
const through = (untrustedForwardedFor: string, ...addresses: readonly string[]) => ({
  addresses,
  untrustedForwardedFor,
})

describe('a request counts for', () => {
  it.each([
    ['a public peer', from('198.51.100.1'), '198.51.100.1'],
    ['a public peer on a dual-stack socket', from('::ffff:198.51.100.1'), '198.51.100.1'],
    ['a public peer behind a translator', from('64:ff9b::c633:6401'), '198.51.100.1'],
    ['the network of an IPv6 peer', from('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64'],
    ['that network, however it is written', from('2001:0DB8:1:2::1'), '2001:db8:1:2::/64'],
  ])('%s', (_name, origin, key) => {
    expect(findClient(origin, nobody)).toEqual({ key })
  })

  it.each([
    ['the client of a trusted proxy', through('198.51.100.1', '10.0.0.1', '198.51.100.1'), '198.51.100.1'],
    [
      'it, whatever it wrote itself',
      through('1.1.1.1, 198.51.100.1', '10.0.0.1', '198.51.100.1'),
      '198.51.100.1',
    ],
    [
      'it, with the port that some proxies add',
      through('198.51.100.1:4711', '10.0.0.1', '198.51.100.1:4711'),
      '198.51.100.1',
    ],
    [
      'it, in brackets with a port',
      through('[2001:db8::1]:443', 'fd00::1', '[2001:db8::1]:443'),
      '2001:db8:0:0::/64',
    ],
    ['a client of the intranet', through('192.168.1.9', '10.0.0.1', '192.168.1.9'), '192.168.1.9'],
    [
      'a public peer that is no proxy of ours, although it claims to forward',
      through('1.1.1.1', '198.51.100.1'),
      '198.51.100.1',
    ],
  ])('%s', (_name, origin, key) => {
    expect(findClient(origin, proxies)).toEqual({ key })
  })

  it.each([
    ['private', 'a private peer: most likely a proxy', from('172.17.0.1'), nobody],
    ['private', 'loopback: a proxy of this machine', from('127.0.0.1'), nobody],
    ['private', 'a private peer beside those that are trusted', from('192.168.1.9'), proxies],
    [
      'private',
      'a private balancer in front of the trusted proxy',
      through('198.51.100.1, 192.168.1.9', '10.0.0.1', '192.168.1.9'),
      proxies,
    ],
    [
      'forwards',
      'a public peer that forwards while nobody is trusted',
      through('1.1.1.1', '198.51.100.1'),
      nobody,
    ],
    ['silent', 'a trusted proxy that says nothing', from('10.0.0.1'), proxies],
    ['silent', 'trusted proxies all the way', through('10.0.0.2', '10.0.0.1', '10.0.0.2'), proxies],
    ['malformed', 'what is no address', through('unknown', '10.0.0.1', 'unknown'), proxies],
    ['malformed', 'a socket of the file system', from(''), nobody],
  ])('nobody, because it is %s: %s', (unknown, _name, origin, trusted) => {
    expect(findClient(origin, trusted)).toEqual({ unknown })
  })

  it('the same /64, whichever of its addresses sends it', () => {
    const half = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 4, maxLength: 4 })
    const text = (groups: readonly number[]) => groups.map((group) => group.toString(16)).join(':')
    fc.assert(
      fc.property(half, half, half, (network, one, other) => {
        // 2000::/3 is what the internet routes.
        const prefix = text([0x2000 | ((network[0] ?? 0) & 0x1fff), ...network.slice(1)])
        const keys = [one, other].map((host) => findClient(from(`${prefix}:${text(host)}`), nobody))
        expect(keys[0]).toEqual(keys[1])
        expect(keys[0]).toEqual({ key: `${prefix}::/64` })
      }),
    )
  })

  it('one answer or another for any text there is', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 4 }), fc.option(fc.string()), (addresses, header) => {
        const origin = { addresses, untrustedForwardedFor: header ?? undefined }
        for (const trusted of [nobody, proxies]) expect(findClient(origin, trusted)).toBeDefined()
      }),
    )
  })
})

describe('private', () => {
  it.each([
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    '127.8.8.8',
    '169.254.1.1',
    '100.64.0.1',
    '::1',
    'fd12::1',
    'fe80::1',
  ])('is %s', (address) => expect(isPrivateAddress(address)).toBe(true))
  it.each([
    '9.255.255.255',
    '11.0.0.0',
    '172.15.0.1',
    '172.32.0.1',
    '192.169.0.1',
    '100.128.0.1',
    '2001:db8::1',
    '::2',
  ])('is not %s', (address) => expect(isPrivateAddress(address)).toBe(false))
})
