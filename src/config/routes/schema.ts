import { z } from 'zod'
import { gatewayCookieNames } from '../cookie-names.ts'
import { hostAndPort, pathPrefix, upstreamUrl } from '../settings/kinds/address.ts'
import { bytes, scope } from '../settings/kinds/values.ts'
import { type Parser, ValueFault } from '../settings/setting.ts'
import { accessKeys, accessProblems } from './rules/access-keys.ts'
import { carrierProblems } from './rules/carriers.ts'

/** Text that one of the settings' parsers reads; its complaint becomes the issue. */
function checked<Value>(schema: z.ZodString, parse: Parser<Value>) {
  return schema.superRefine((untrusted, context) => {
    try {
      parse(untrusted)
    } catch (error) {
      if (!(error instanceof ValueFault)) throw error
      context.addIssue({ code: 'custom', message: error.message })
    }
  })
}

/** 1 TiB, like `BODY_LIMIT`. */
const largestBytes = 1_099_511_627_776
const parseBytes = bytes(largestBytes)
const size = z.union([
  z.int().min(1).max(largestBytes),
  checked(z.string().meta({ pattern: '^[0-9]{1,12} ?([kKmMgG]?[bB])?$' }), parseBytes),
])

/** A size of the routes file in bytes. */
export function toBytes(value: number | string): number {
  return typeof value === 'number' ? value : parseBytes(value)
}

/** A day, in seconds. */
const longestWaitSeconds = 86_400
const wait = z.number().positive().max(longestWaitSeconds)
const waitOrNone = z.number().min(0).max(longestWaitSeconds)

/** Names that `COOKIE_NAME` changes are refused by the cookie policy, whatever the file says. */
const usualCookies = gatewayCookieNames([])

const cookieName = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'must be a cookie name')
  .refine((name) => !usualCookies.has(name), "must not be one of the gateway's cookies")

const tls = z
  .strictObject({
    caFile: z
      .string()
      .min(1)
      .describe("PEM file with the authorities trusted instead of the system's.")
      .optional(),
    certificateFile: z.string().min(1).describe('PEM file with the client certificate.').optional(),
    keyFile: z.string().min(1).describe('PEM file with its private key, without a passphrase.').optional(),
  })
  .refine(
    ({ certificateFile, keyFile }) => (certificateFile === undefined) === (keyFile === undefined),
    'needs certificateFile and keyFile together',
  )

const identifier = z.string().min(1)

/** The one echoes our token to the browser (RFC 9110 section 9.3.8), the other opens tunnels. */
const forbiddenMethods: readonly string[] = ['TRACE', 'CONNECT']

const method = z
  .string()
  .regex(/^[A-Z]{1,20}$/, 'must be a method in capitals')
  .refine(
    (name) => !forbiddenMethods.includes(name),
    'cannot be TRACE or CONNECT: the one would show the browser our token, the other is for tunnels',
  )

const route = z
  .strictObject({
    prefix: checked(z.string().meta({ pattern: '^(/|(/[A-Za-z0-9._~-]+)+)$' }), (untrusted) =>
      untrusted === '/' ? untrusted : pathPrefix(untrusted),
    ).describe('Where browsers reach the API: /orders. With upstream external also /, for everything else.'),
    upstream: checked(z.string().meta({ pattern: '^([hH][tT][tT][pP][sS]?://|external$)' }), (untrusted) =>
      untrusted === 'external' ? untrusted : upstreamUrl(untrusted),
    ).describe(
      'Where the API is; its path replaces the prefix. external: another proxy carries the requests and only asks here (FORWARD_AUTH_PORT).',
    ),
    proofUrl: checked(z.string().meta({ pattern: '^[hH][tT][tT][pP][sS]?://' }), upstreamUrl)
      .describe(
        "Only with TOKEN_BINDING=dpop: the API's own address, where proofs must name another one than upstream.",
      )
      .optional(),
    auth: z
      .enum(['required', 'optional', 'none'])
      .describe(
        'required (default): 401 without a session. optional: anonymous then. none: no guard, no session, no token.',
      )
      .optional(),
    audience: z
      .union([identifier, z.array(identifier).min(1)])
      .describe(
        'The API at the provider; several: the first is asked for, any is accepted. Default: API_AUDIENCE.',
      )
      .optional(),
    audienceParameter: z
      .enum(['audience', 'resource', 'both', 'none'])
      .describe('How it is named in requests to the provider. Default: AUDIENCE_PARAMETER.')
      .optional(),
    scope: checked(z.string(), scope)
      .describe('Scope of its own to ask for on refresh. Default: that of the login.')
      .optional(),
    ...accessKeys,
    methods: z
      .array(method)
      .min(1)
      .describe('Methods that are let through. Default: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS.')
      .optional(),
    connectTimeout: wait.describe('Seconds. Default: UPSTREAM_CONNECT_TIMEOUT.').optional(),
    firstByteTimeout: wait.describe('Seconds. Default: UPSTREAM_FIRST_BYTE_TIMEOUT.').optional(),
    idleTimeout: waitOrNone.describe('Seconds, 0: none. Default: UPSTREAM_IDLE_TIMEOUT.').optional(),
    streamIdleTimeout: wait
      .describe('Seconds that an event stream or WebSocket may be silent. Default: for ever.')
      .optional(),
    bodyLimit: size.describe('Bytes, or text such as 10mb. Default: BODY_LIMIT.').optional(),
    websocket: z
      .boolean()
      .describe('Whether WebSockets are let through. Default: true, with auth none false.')
      .optional(),
    websocketMaxMessage: size
      .describe('Bytes, or text such as 1mb. Default: WEBSOCKET_MAX_MESSAGE.')
      .optional(),
    forwardCookies: z
      .array(cookieName)
      .describe("Names of the browser's cookies that the API gets. Default: none.")
      .optional(),
    forwardAuthorization: z
      .boolean()
      .describe("Only with auth none: the client's own authorization header passes. Default: false.")
      .optional(),
    forwardOrigin: z.boolean().describe('Whether the API gets the origin header. Default: false.').optional(),
    allowSetCookies: z
      .array(cookieName)
      .describe('Names of cookies that the API may set. Default: none.')
      .optional(),
    allowRedirectHosts: z
      .array(checked(z.string(), hostAndPort(443)))
      .describe('host or host:port that redirects of the API may lead to. Default: none.')
      .optional(),
    activeContent: z
      .boolean()
      .describe('Whether documents of the API run without a sandbox on our origin. Default: false.')
      .optional(),
    tls: tls.describe('Certificates. Default: UPSTREAM_CA, UPSTREAM_CERTIFICATE, UPSTREAM_KEY.').optional(),
    maxInFlight: z
      .int()
      .min(1)
      .max(100_000)
      .describe('Requests and streams open at once. Default: MAX_IN_FLIGHT.')
      .optional(),
    maxInFlightPerSession: z
      .int()
      .min(1)
      .max(100_000)
      .describe('How many of them one session may hold. Default: MAX_IN_FLIGHT_PER_SESSION, or a tenth.')
      .optional(),
  })
  .superRefine((value, context) => {
    if (value.forwardAuthorization === true && value.auth !== 'none') {
      addIssue(
        context,
        'forwardAuthorization',
        'is possible only with auth: none; elsewhere the token is ours',
      )
    }
    for (const [name, problem] of accessProblems(value)) addIssue(context, name, problem)
    for (const [name, problem] of carrierProblems(value)) addIssue(context, name, problem)
    if (value.auth !== 'none' || value.token === 'client') return
    for (const name of ['audience', 'audienceParameter', 'scope'] as const) {
      if (value[name] !== undefined)
        addIssue(context, name, 'has no meaning with auth: none, where no token is sent')
    }
  })

function addIssue(context: z.RefinementCtx, name: string, message: string): void {
  context.addIssue({ code: 'custom', path: [name], message })
}

/** The routes file as it is written. Unknown keys are refused. */
export const routesFileSchema = z.strictObject({
  $schema: z.string().describe('For editors; not read.').optional(),
  routes: z.array(route).min(1).describe('The longest matching prefix wins.'),
})

/** A route as it is written. */
export type WrittenRoute = z.infer<typeof route>

/** The published JSON Schema (draft 2020-12) of the routes file, for editors. */
export function routesFileJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(routesFileSchema, { io: 'input' })
  return { $schema, title: 'Coatcheck routes file', ...rest }
}
