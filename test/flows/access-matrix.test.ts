import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { valuesOf } from '../support/api/upstream.ts'
import { createSoftwareDevice } from '../support/browser/software-device.ts'
import { eventually } from '../support/eventually.ts'
import type { Answer } from '../support/exchange.ts'
import { freePort } from '../support/ports.ts'
import { ask, handshake, navigation, ownFetch } from '../support/questions.ts'
import { type AccessWorld, startAccessWorld } from '../support/worlds/access-world.ts'

/** Every kind of route, whoever calls it, from wherever, in every position that asks the one decision: the whole table of DESIGN-2 §6. */

const tokens = ['user', 'exchange', 'client', 'gateway', 'none'] as const
const callerSets = [['session'], ['session', 'bearer'], ['bearer']] as const
const rules = ['no rule', 'a rule that nobody meets'] as const

interface Kind {
  readonly prefix: string
  readonly auth: 'required' | 'optional' | 'none'
  readonly token: (typeof tokens)[number]
  readonly callers: readonly string[]
  readonly rule: (typeof rules)[number]
}

const guarded = (['required', 'optional'] as const).flatMap((auth) =>
  tokens.flatMap((token) =>
    callerSets.flatMap((callers) => rules.map((rule) => ({ auth, token, callers, rule }))),
  ),
)
const open = (['client', 'none'] as const).map((token) => ({
  auth: 'none' as const,
  token,
  callers: ['session'],
  rule: rules[0],
}))
const kinds: readonly Kind[] = [...guarded, ...open].map((kind, at) => ({ prefix: `/r${at}`, ...kind }))

const callers = [
  'anonymous',
  'with a session',
  'with a session that has ended',
  'with a bound session and its proof',
  'with a bound session without proof',
  'with a token',
  'with a token that is not valid',
  'with both',
] as const
type Caller = (typeof callers)[number]

const sites = ['our own page', 'a foreign page', 'a machine'] as const
type Site = (typeof sites)[number]

const positions = ['a fetch', 'a WebSocket', 'a question about a fetch', 'a question about a page'] as const
type Position = (typeof positions)[number]

interface Cell {
  readonly kind: Kind
  readonly caller: Caller
  readonly site: Site
  readonly position: Position
}

/** `token`: whose goes to the API; `status` and `code` of a refusal. */
type Outcome =
  | { readonly token: 'none' | 'of the session' | 'of the caller' | 'another' }
  | { readonly status: number; readonly code: string }

const refusal = (status: number, code: string): Outcome => ({ status, code })
const csrf = refusal(403, 'csrf_rejected')
const missing = refusal(401, 'session_missing')
const badBearer = refusal(401, 'bearer_invalid')

/** The contract in other words than the code's. */
function due({ kind, caller, site, position }: Cell): Outcome {
  const isPage = position === 'a question about a page'
  const passesGuard = site === 'our own page' || isPage
  if (kind.auth === 'none') return dueToAnybody(kind, position, passesGuard)
  const hasToken =
    caller === 'with a token' || caller === 'with a token that is not valid' || caller === 'with both'
  const hasCookie = caller !== 'anonymous' && (!hasToken || caller === 'with both')
  if (kind.callers.includes('bearer')) {
    if (hasToken && hasCookie) return passesGuard ? refusal(400, 'ambiguous_credentials') : csrf
    if (hasToken) return caller === 'with a token' ? dueToKnown(kind, 'of the caller') : badBearer
    const takesSession = kind.callers.includes('session')
    if (!(takesSession && hasCookie)) {
      if (kind.auth === 'required') return passesGuard && takesSession ? missing : badBearer
      if (!passesGuard) return csrf
      return dueToGuest(kind, missing)
    }
  }
  return passesGuard ? dueToCookie(kind, hasCookie ? caller : 'anonymous') : csrf
}

function dueToAnybody({ token }: Kind, position: Position, passesGuard: boolean): Outcome {
  if (token === 'none') return { token: 'none' }
  return position === 'a WebSocket' && !passesGuard ? csrf : { token: 'another' }
}

function dueToCookie(kind: Kind, caller: Caller): Outcome {
  switch (caller) {
    case 'anonymous':
      return dueToGuest(kind, missing)
    case 'with a session that has ended':
      return dueToGuest(kind, refusal(401, 'session_expired'))
    case 'with a bound session without proof':
      return refusal(401, 'device_proof_missing')
    default:
      return dueToKnown(kind, 'of the session')
  }
}

/** Nobody is known: a route that does not insist lets them in with nothing, unless there is a rule to be met. */
function dueToGuest({ auth, rule }: Kind, otherwise: Outcome): Outcome {
  if (auth === 'required') return otherwise
  return rule === 'no rule' ? { token: 'none' } : missing
}

function dueToKnown({ token, rule }: Kind, own: 'of the session' | 'of the caller'): Outcome {
  if (rule !== 'no rule') return refusal(403, 'forbidden')
  if (token === 'none') return { token: 'none' }
  return { token: token === 'user' ? own : 'another' }
}

const origin = 'https://app.example.test'

let world: AccessWorld
let checkPort: number
/** What callers of each kind bring; `bearer`: a token that is good everywhere. */
const brought = new Map<Caller, Readonly<Record<string, string>>>()
let bearer = ''
let sessionTokens: readonly string[] = []

const issuedType = 'urn:ietf:params:oauth:token-type:access_token'

beforeAll(async () => {
  checkPort = await freePort()
  const routes = kinds.map(({ prefix, auth, token, callers: who, rule }) => ({
    prefix,
    auth,
    token,
    websocket: true,
    ...(auth === 'none' ? {} : { callers: who }),
    ...(rule === 'no rule' ? {} : { require: { permissions: ['what nobody has'] } }),
  }))
  world = await startAccessWorld(routes, {
    RATE_LIMIT: 'off',
    // Browsers bind cookies of https alone.
    BASE_URL: origin,
    DEVICE_BINDING: 'auto',
    FORWARD_AUTH_PORT: `${checkPort}`,
  })
  world.provider.faults.token = ({ access_token, token_type, expires_in }, form) =>
    form.get('grant_type')?.endsWith('token-exchange') === true
      ? { body: { access_token, token_type, expires_in, issued_token_type: issuedType } }
      : undefined
  const [plain, ended, bound] = [await world.signIn(), await world.signIn(), await world.signIn()]
  await world.get('/logout', { cookie: ended, ...ownFetch }, 'POST')
  const proven = await bind(bound)
  bearer = await world.bearer()
  brought.set('anonymous', {})
  brought.set('with a session', { cookie: plain })
  brought.set('with a session that has ended', { cookie: ended })
  brought.set('with a bound session and its proof', { cookie: proven })
  brought.set('with a bound session without proof', { cookie: bound })
  brought.set('with a token', { authorization: `Bearer ${bearer}` })
  brought.set('with a token that is not valid', { authorization: `Bearer ${bearer.slice(0, -6)}AAAAAA` })
  brought.set('with both', { cookie: plain, authorization: `Bearer ${bearer}` })
  sessionTokens = [await tokenOf(plain), await tokenOf(proven)]
}, 60_000)
afterAll(() => world.stop())

/** Binds a session, and waits until it is demanded; resolves to its cookies. */
async function bind(cookie: string): Promise<string> {
  const send = (path: string, method: string, headers: Readonly<Record<string, string>>) =>
    world.get(path, { cookie, ...ownFetch, ...headers }, method)
  const offer = (await send('/session', 'GET', {})).headers['secure-session-registration'] ?? ''
  const registered = await createSoftwareDevice().register(
    { fetch: (path, { method, headers }) => send(path, method, headers) },
    offer,
  )
  const proven = [cookie, ...registered.setCookies.map((each) => each.split(';', 1)[0])].join('; ')
  await world.get(`${kinds[0]?.prefix}/x`, { cookie: proven, ...ownFetch })
  await eventually(async () => {
    expect((await send(`${kinds[0]?.prefix}/x`, 'GET', {})).status).toBe(401)
  })
  return proven
}

/** The session's own access token, as a plain route sends it. */
async function tokenOf(cookie: string): Promise<string> {
  const plain = kinds.find(({ token, rule }) => token === 'user' && rule === 'no rule')
  const [, arrived] = await world.arrivedOf(() => world.get(`${plain?.prefix}/x`, { cookie, ...ownFetch }))
  return arrived === undefined ? '' : (valuesOf(arrived, 'authorization')[0] ?? '')
}

/** What a browser, or a machine, sends besides. */
function headersOf({ site, position }: Cell): Readonly<Record<string, string>> {
  const foreign = 'https://evil.example'
  if (position === 'a WebSocket') {
    const upgrade = { connection: 'Upgrade', upgrade: 'websocket' }
    const { origin: from = '', ...rest } = handshake(site === 'our own page' ? origin : foreign)
    return { ...upgrade, ...rest, ...(site === 'a machine' ? {} : { origin: from }) }
  }
  if (site === 'a machine') return position === 'a question about a page' ? navigation('none') : {}
  const from = site === 'our own page' ? 'same-origin' : 'cross-site'
  return position === 'a question about a page' ? navigation(from) : { ...ownFetch, 'sec-fetch-site': from }
}

/** What became of a request, in the words of {@link due}. */
async function seen(cell: Cell): Promise<Outcome> {
  const { kind, caller, position } = cell
  const headers = { ...headersOf(cell), ...brought.get(caller) }
  const path = `${kind.prefix}/x`
  if (position.startsWith('a question')) {
    const { host } = new URL(origin)
    const answer = await ask(checkPort, { uri: path, host, proto: 'https', headers })
    return answer.status === 200 ? letIn(answer.headers.authorization) : refused(answer)
  }
  const [answer, arrived] = await world.arrivedOf(() => world.get(path, headers))
  if (arrived === undefined) return refused(answer)
  const sent = valuesOf(arrived, 'authorization')
  if (sent.length > 1) throw new Error('two authorizations reached the API')
  return letIn(sent[0])
}

function letIn(authorization: string | undefined): Outcome {
  if (authorization === undefined) return { token: 'none' }
  if (authorization === `Bearer ${bearer}`) return { token: 'of the caller' }
  return { token: sessionTokens.includes(authorization) ? 'of the session' : 'another' }
}

function refused(answer: Answer): Outcome {
  const isProblem = answer.headers['content-type']?.startsWith('application/problem+json') === true
  return refusal(answer.status, isProblem ? String(answer.json().code) : 'a page')
}

/** A page has no code that a program could read. */
function asPage(outcome: Outcome): Outcome {
  return 'code' in outcome ? refusal(outcome.status, 'a page') : outcome
}

describe.each(positions)('%s', (position) => {
  it.each(callers)(
    '%s, to every kind of route, from everywhere, ends as the contract says',
    async (caller) => {
      const wrong: string[] = []
      for (const kind of kinds) {
        for (const site of sites) {
          const cell: Cell = { kind, caller, site, position }
          const expected = position === 'a question about a page' ? asPage(due(cell)) : due(cell)
          const got = await seen(cell)
          const [wanted, found] = [JSON.stringify(expected), JSON.stringify(got)]
          if (found !== wanted) wrong.push(`${JSON.stringify(kind)} from ${site}: ${found}, not ${wanted}`)
        }
      }
      expect(wrong).toEqual([])
    },
  )
})
