import { expect, it } from 'vitest'
import { forwardedFor } from '../../../src/proxy/headers/forwarded-for.ts'

const named = (ips: readonly (string | undefined)[] | undefined, remoteAddress?: string): string =>
  forwardedFor({ ips, raw: { socket: { remoteAddress } } })

it.each<[string, string]>([
  [named(undefined, '::ffff:192.0.2.1'), '192.0.2.1'],
  [named(undefined), 'unknown'],
  [named(['192.0.2.1', '203.0.113.9']), '203.0.113.9, 192.0.2.1'],
  [named([undefined]), 'unknown'],
  [named([undefined, '203.0.113.9']), '203.0.113.9, unknown'],
])('the API is told %s', (told, expected) => {
  expect(told).toBe(expected)
})
