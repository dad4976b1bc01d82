import { createCoatcheck } from 'coatcheck/client'

/** What USER_CLAIMS of the gateway lets through. */
export interface User {
  readonly sub: string
  readonly name: string
}

/** In a file of its own: hot reload replaces components, and there is one helper for the page. */
export const coatcheck = createCoatcheck<User>()
