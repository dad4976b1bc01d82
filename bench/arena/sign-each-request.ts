/**
 * Loaded into a gateway whose tokens are bound to nothing: for each request it makes one ES256 signature and throws it away, with as many keys as
 * there are sessions. What a gateway with bound tokens costs beyond this is not the signature.
 */
import { sign } from 'node:crypto'
import { subscribe } from 'node:diagnostics_channel'
import { createDpopKey } from '../../src/signing/dpop-key.ts'
import { sessionCount } from './world.ts'

/** A proof without nonce, as it is signed, has about this many. */
const signedBytes = 440
const input = Buffer.alloc(signedBytes, 'x')
const keys = Array.from({ length: sessionCount }, () => createDpopKey().privateKey)
let turn = 0

subscribe('http.server.request.start', () => {
  turn = (turn + 1) % keys.length
  const key = keys[turn]
  if (key !== undefined) sign('sha256', input, key)
})
