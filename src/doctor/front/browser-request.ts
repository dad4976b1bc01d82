import { randomBytes } from 'node:crypto'
import type { Config } from '../../config/load-config.ts'
import { createCookies } from '../../http/cookies/cookies.ts'

/** Headers of a request, lower-case names. */
export type RequestHeaders = Readonly<Record<string, string>>

/** An address of nobody (RFC 5737), which only a forger would send. */
export const forgedAddress = '203.0.113.7'

const sessionIdBytes = 32
/** As large as login transactions get together, bytes. */
const transactionBytes = 2_400

/** What a page of ours sends with `fetch`, as a browser writes it; the session is made up. */
export function browserHeaders({ config }: { readonly config: Config }): RequestHeaders {
  const { sessionName } = createCookies(config)
  const session = randomBytes(sessionIdBytes).toString('base64url')
  const transaction = `${sessionName}-login-doctor00=${'x'.repeat(transactionBytes)}`
  return {
    accept: 'application/json',
    origin: config.baseUrl.origin,
    'sec-fetch-site': 'same-origin',
    'sec-fetch-mode': 'cors',
    'sec-fetch-dest': 'empty',
    'x-csrf': '1',
    cookie: `${sessionName}=${session}; ${transaction}`,
    'x-forwarded-for': forgedAddress,
  }
}
