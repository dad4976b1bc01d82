import type { DemoApi, DemoUser } from '../src/dev/provider/options.ts'

/** The audience of the cloakroom API: the identifier under which it is registered at the provider. */
export const cloakroomAudience = 'https://cloakroom.example'

/** What the cloakroom API knows as permissions. */
export const cloakroomPermissions = ['read:coats', 'read:inventory'] as const

/** The API, as the provider knows it. */
export const cloakroom: DemoApi = { identifier: cloakroomAudience, permissions: cloakroomPermissions }

/** Two people who differ in one permission, so that a 403 can be seen. */
export const people: readonly DemoUser[] = [
  {
    id: 'demo|ada',
    name: 'Ada Okafor',
    email: 'ada@cloakroom.example',
    description: 'Runs the cloakroom. May see everything.',
    permissions: { [cloakroomAudience]: cloakroomPermissions },
  },
  {
    id: 'demo|ben',
    name: 'Ben Lindqvist',
    email: 'ben@cloakroom.example',
    description: 'A guest. May see his own coats, not the inventory.',
    permissions: { [cloakroomAudience]: ['read:coats'] },
  },
]

/** The scope of the demo's logins: who it is, a refresh token, and what the API offers. */
export const demoScope = `openid profile email offline_access ${cloakroomPermissions.join(' ')}`
