import { describe, expect, it } from 'vitest'
import { isLoopback } from '../../../../src/config/settings/kinds/address.ts'

describe('plain http', () => {
  it.each(['localhost', 'LOCALHOST', 'app.localhost', '127.0.0.1', '127.9.9.9', '[::1]'])(
    'has %s for this machine',
    (host) => expect(isLoopback(new URL(`http://${host}:3000/`))).toBe(true),
  )

  it.each([
    'evillocalhost',
    'localhost.evil.example',
    'xlocalhost',
    '127.0.0.1.evil.example',
    'evil127.0.0.1.example',
    '128.0.0.1',
    '0.0.0.0',
    '[::2]',
    '[::ffff:127.0.0.1]',
    'localhos',
  ])('does not take %s for this machine', (host) => {
    expect(isLoopback(new URL(`http://${host}:3000/`))).toBe(false)
  })
})
