import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Pool } from 'undici'
import { headerLines } from '../load/load.ts'
import type { Gateway } from '../peers/gateway.ts'
import type { Scenario } from './scenarios.ts'

type Headers = readonly (readonly [name: string, value: string])[]

/** What a browser sends with `fetch` from a page, without the cookie. */
function browserHeaders(origin: string, { site }: Scenario): Headers {
  return [
    ['Host', new URL(origin).host],
    ['User-Agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'],
    ['Accept', 'application/json'],
    ['Accept-Language', 'en-GB,en;q=0.8'],
    ['Accept-Encoding', 'gzip, deflate, br, zstd'],
    ['Content-Type', 'application/json'],
    ['Sec-Fetch-Dest', 'empty'],
    ['Sec-Fetch-Mode', 'cors'],
    ['Sec-Fetch-Site', site],
    ['Origin', site === 'same-origin' ? origin : 'https://elsewhere.example'],
    ['X-CSRF', '1'],
  ]
}

/** Where a scenario's request goes: to the gateway, or to where another proxy asks it. */
export function requestOf({ origin, connects = origin, checks }: Gateway, { path }: Scenario) {
  return checks === undefined ? { origin: connects, path } : { origin: checks, path: '/check' }
}

function headersOf(gateway: Gateway, scenario: Scenario): Headers {
  const headers = browserHeaders(gateway.origin, scenario)
  if (gateway.checks === undefined) return headers
  return [
    ...headers,
    ['X-Forwarded-Method', scenario.method],
    ['X-Forwarded-Uri', scenario.path],
    ['X-Forwarded-Host', new URL(gateway.origin).host],
    ['X-Forwarded-Proto', 'http'],
  ]
}

/** Writes what the generators send: a file of headers, and one of cookies, or what else callers show, to take in turn; each line a header. */
export async function writeRequests(gateway: Gateway, scenario: Scenario, folder: string) {
  const headersFile = join(folder, 'headers')
  const cookiesFile = join(folder, 'cookies')
  await writeFile(headersFile, headerLines(headersOf(gateway, scenario)))
  await writeFile(cookiesFile, cookieLines(gateway, scenario))
  return { headersFile, cookiesFile }
}

/** A gateway without sessions is sent a cookie of the same size that means nothing to it. */
function cookieLines({ cookies, shows = 'Cookie' }: Gateway, { sessions }: Scenario): string {
  const some = cookies.length > 0 ? cookies : [`unknown=${'x'.repeat(43)}`]
  return some
    .slice(0, sessions)
    .map((cookie) => `${shows}: ${cookie}\n`)
    .join('')
}

const leadInConnections = 16

/**
 * Asks once for each session, unmeasured: while its neighbours were measured, what this gateway remembers for ten seconds ran
 * out, and a second of load would pay for all of it at once. What remembering really costs is measured by the steady load.
 */
export async function leadIn(gateway: Gateway, scenario: Scenario): Promise<void> {
  const { origin, path } = requestOf(gateway, scenario)
  const pool = new Pool(origin, { connections: leadInConnections })
  const headers = headersOf(gateway, scenario).flat()
  const ask = async (cookie: string): Promise<void> => {
    const sent = [...headers, gateway.shows ?? 'Cookie', cookie]
    const { body } = await pool.request({ path, method: 'GET', headers: sent })
    await body.dump()
  }
  const cookies = gateway.cookies.length > 0 ? gateway.cookies : Array<string>(1_000).fill('unknown=x')
  await Promise.all(cookies.slice(0, scenario.sessions).map(ask))
  await pool.close()
}

/** One answer in words, so that a failed run says why. */
export async function sampleAnswer(gateway: Gateway, scenario: Scenario): Promise<string> {
  const { method } = scenario
  const { origin, path } = requestOf(gateway, scenario)
  const headers = [...headersOf(gateway, scenario), [gateway.shows ?? 'Cookie', gateway.cookies[0] ?? '']]
  const init = { method, headers: Object.fromEntries(headers), signal: AbortSignal.timeout(5_000) }
  const response = await fetch(origin + path, init)
  return `${response.status} ${(await response.text()).slice(0, 500)}`
}
