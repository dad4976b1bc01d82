import { randomBytes } from 'node:crypto'
import type { DemoClient } from '../src/dev/provider/options.ts'
import type { SpaFacts } from './spa-folder.ts'
import { cloakroomAudience, people } from './world.ts'

/** Where browsers reach the parts of a demo. */
export interface DemoAddresses {
  /** The gateway that asks for the API's audience. */
  readonly url: string
  /** The gateway that asks for none. On another host name: cookies of one host are shared by all its ports. */
  readonly withoutAudienceUrl: string
  readonly issuer: string
}

/** Client ids of the two gateways. */
export const clientIds = { withAudience: 'demo', withoutAudience: 'demo-without-audience' } as const

/** 256 random bits. */
export const randomSecret = (): string => randomBytes(32).toString('base64url')

/** The two gateways, as the provider knows them. */
export function toClients(addresses: DemoAddresses, clientSecret: string): readonly DemoClient[] {
  return [
    { clientId: clientIds.withAudience, clientSecret, baseUrl: addresses.url },
    { clientId: clientIds.withoutAudience, clientSecret, baseUrl: addresses.withoutAudienceUrl },
  ]
}

/** What the page behind one of the gateways is told. */
export const describeSpa = (addresses: DemoAddresses, sendsAudience: boolean): SpaFacts => ({
  url: addresses.url,
  withoutAudienceUrl: addresses.withoutAudienceUrl,
  sendsAudience,
  audience: cloakroomAudience,
  users: people.map(({ name, email, description = '' }) => ({ name, email, description })),
  providerLogoutUrl: `${addresses.issuer}oidc/logout`,
})
