import { describe, expect, it } from 'vitest'
import { readTokenFacts } from '../../../src/oidc/tokens/token-facts.ts'
import { unsigned } from '../../support/provider/scripted-provider.ts'

const rightsOf = (claims: Record<string, unknown>) =>
  readTokenFacts(`${unsigned(claims, { alg: 'RS256' })}AAAA`).rights

describe("the rights of an access token's user", () => {
  it.each([
    ['Auth0', { permissions: ['read:orders'] }, 'permissions', ['read:orders']],
    ['Entra', { roles: ['clerk'] }, 'roles', ['clerk']],
    ['Keycloak, the realm', { realm_access: { roles: ['clerk'] } }, '/realm_access/roles', ['clerk']],
    [
      'Keycloak, a client',
      { resource_access: { 'orders/api': { roles: ['read'] } } },
      'resource_access.orders/api.roles',
      ['read'],
    ],
    ['Cognito', { 'cognito:groups': ['clerks'] }, 'cognito:groups', ['clerks']],
    [
      'Zitadel',
      { 'urn:zitadel:iam:org:project:7:roles': { clerk: { 1: 'shop' } } },
      'urn:zitadel:iam:org:project:7:roles',
      ['clerk'],
    ],
    ["an Action of Auth0's", { 'https://shop.example/roles': ['a'] }, 'https://shop.example/roles', ['a']],
  ])('are recognised as %s writes them', (_who, claims, claim, names) => {
    expect(rightsOf(claims)).toEqual([{ claim, names }])
  })

  it('are none where a claim has a foreign shape', () => {
    expect(rightsOf({ roles: 7, realm_access: 'x', resource_access: { a: null, b: { roles: 1 } } })).toEqual(
      [],
    )
  })
})
