import { expect, it } from 'vitest'
import { unmetDemands } from '../../../src/oidc/provider/failures/unmet-demands.ts'

const issuer = 'https://login.example.test'
const push = { pushed_authorization_request_endpoint: `${issuer}/par` }

it.each([
  [{ require_pushed_authorization_requests: true }, {}, 'PUSHED_AUTHORIZATION_REQUESTS'],
  [
    { require_pushed_authorization_requests: true },
    { pushedAuthorizationRequests: 'auto' },
    'PUSHED_AUTHORIZATION_REQUESTS',
  ],
  [{}, { pushedAuthorizationRequests: 'on' }, 'PUSHED_AUTHORIZATION_REQUESTS'],
  [{ id_token_signing_alg_values_supported: ['HS256', 'none'] }, {}, 'RS256'],
  [
    { id_token_signing_alg_values_supported: ['RS256'] },
    { idTokenAlgorithm: ['ES256'] },
    'ID_TOKEN_ALGORITHM',
  ],
  [{ require_signed_request_object: true }, { requestObject: 'off' }, 'REQUEST_OBJECT=signed'],
  [{ response_modes_supported: ['form_post'] }, { responseMode: 'jwt' }, 'RESPONSE_MODE'],
  [{ dpop_signing_alg_values_supported: ['RS256'] }, { tokenBinding: 'dpop' }, 'TOKEN_BINDING'],
] as const)('the start warns of %j where that is not met', (members, options, setting) => {
  const metadata = JSON.parse(JSON.stringify({ issuer, ...members }))
  expect(unmetDemands(metadata, options)).toEqual([expect.stringContaining(setting)])
})

it.each([
  [{ ...push, require_pushed_authorization_requests: true }, { pushedAuthorizationRequests: 'auto' }],
  [push, { pushedAuthorizationRequests: 'on' }],
  [{}, { pushedAuthorizationRequests: 'auto' }],
  [{ id_token_signing_alg_values_supported: ['HS256', 'RS256'] }, {}],
  [{ id_token_signing_alg_values_supported: ['Ed25519'] }, { idTokenAlgorithm: ['EdDSA'] }],
  [{}, { idTokenAlgorithm: ['ES256'] }],
  [{ require_signed_request_object: true }, { requestObject: 'signed' }],
  [{ response_modes_supported: ['query.jwt'] }, { responseMode: 'jwt' }],
  [{ response_modes_supported: ['query'] }, {}],
  [{ dpop_signing_alg_values_supported: ['ES256'] }, { tokenBinding: 'dpop' }],
] as const)('the start says nothing of %j where that is met', (members, options) => {
  expect(unmetDemands(JSON.parse(JSON.stringify({ issuer, ...members })), options)).toEqual([])
})
