import { generateKeyPairSync } from 'node:crypto'
import { fetch, type Response } from 'undici'
import type { FapiProvider } from './fapi-provider.ts'

/** A new P-256 key as `CLIENT_KEY` takes it. */
export function newClientKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ format: 'pem', type: 'pkcs8' })
    .toString()
}

/** A login's end. */
export interface SignIn {
  readonly status: number
  readonly location: string | null
  /** The browser's `cookie` header from then on. */
  readonly cookie: string
}

/**
 * A whole login of a browser. It may begin at one gateway and end at another, as a balancer without affinity does it.
 *
 * @param ports where it begins, and where it ends
 */
export async function signInAt(fapi: FapiProvider, ports: readonly [number, number]): Promise<SignIn> {
  const [beginsAt, endsAt] = ports
  const begun = await fetch(`http://127.0.0.1:${beginsAt}/login`, { redirect: 'manual' })
  const callback = await fapi.approve(new URL(begun.headers.get('location') ?? ''))
  callback.port = `${endsAt}`
  const ended = await fetch(callback, { redirect: 'manual', headers: { cookie: cookiesOf(begun) } })
  return { status: ended.status, location: ended.headers.get('location'), cookie: cookiesOf(ended) }
}

function cookiesOf({ headers }: Response): string {
  return headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ')
}
