import { filePath, pathPrefix } from '../kinds/address.ts'
import { gatewayKeys } from '../kinds/private-keys.ts'
import { apiRequirement } from '../kinds/requirement.ts'
import { certificatePem, privateKeyPem } from '../kinds/secret.ts'
import { bytes, listOf, oneOf, seconds, wholeNumber } from '../kinds/values.ts'
import { optional, withDefault } from '../setting.ts'

/** A day: nothing that waits longer than this waits for an answer. */
const longestWaitSeconds = 86_400
/** 1 TiB: a limit above any body that one request carries. */
const largestBodyBytes = 1_099_511_627_776
/** A message is held in memory whole. */
const largestMessageBytes = 1_073_741_824
const mostInFlight = 100_000

/** The API, or the defaults of all routes of a routes file. */
export const proxySettings = {
  title: 'The API behind the gateway',
  intro: 'With `ROUTES_FILE` all of these but `API_PREFIX` are the defaults of its routes.',
  rows: {
    API_PREFIX: withDefault(pathPrefix, '/api', {
      doc: 'The path under which browsers reach the API of `API_URL`.',
      example: '/backend',
    }),
    ROUTES_FILE: optional(filePath, {
      doc: 'A YAML or JSON file that describes several APIs (see below); instead of `API_URL`.',
      example: './routes.yaml',
    }),
    API_TOKEN: withDefault(oneOf('user', 'exchange', 'client', 'gateway', 'none'), 'user', {
      doc: "What the API of `API_URL` gets: the session's access token, that token exchanged (RFC 8693), the gateway's own (client credentials), a JWT minted here, or nothing; see `docs/routes.md`. A routes file says `token` itself.",
      example: 'gateway',
    }),
    API_CALLERS: withDefault(listOf(oneOf('session', 'bearer')), 'session', {
      doc: "Who may call the API of `API_URL`: browsers with a session, bearers of the provider's access tokens, or both. A routes file says `callers` itself.",
      example: 'session,bearer',
    }),
    API_REQUIRE: optional(apiRequirement, {
      doc: 'What callers of the API of `API_URL` must have and have proved, as JSON; see `require` in `docs/routes.md`. A routes file says `require` itself.',
      example: '{"permissions":["read:orders"],"maxAge":300}',
    }),
    GATEWAY_KEY: optional(gatewayKeys, {
      doc: 'The private key that signs tokens of routes with `token: gateway`: P-256, as PEM (PKCS#8), JWK or JWK Set. Several: the first signs, the public halves of all are published at `/keys`.',
      example: '/run/secrets/gateway-key',
      unit: 'PEM text',
      secret: true,
    }),
    UPSTREAM_CONNECT_TIMEOUT: withDefault(seconds(1, 300), '5', {
      doc: 'How long connecting to an API may take, TLS included.',
      example: '2',
      unit: 'seconds (m, h, d)',
    }),
    UPSTREAM_FIRST_BYTE_TIMEOUT: withDefault(seconds(1, longestWaitSeconds), '30', {
      doc: 'How long an API may take to begin its answer once it has the request.',
      example: '60',
      unit: 'seconds (m, h, d)',
    }),
    UPSTREAM_IDLE_TIMEOUT: withDefault(seconds(0, longestWaitSeconds), '60', {
      doc: 'The longest silence within a body, in either direction; 0 for no limit. Event streams and WebSockets are not cut by it.',
      example: '120',
      unit: 'seconds (m, h, d)',
    }),
    BODY_LIMIT: withDefault(bytes(largestBodyBytes), '10mb', {
      doc: 'The largest request body that is passed on; larger ones are answered 413.',
      example: '100mb',
      unit: 'bytes (kb, mb, gb)',
    }),
    MAX_IN_FLIGHT: withDefault(wholeNumber(1, mostInFlight), '1000', {
      doc: 'Requests, event streams and WebSockets open at once to one API and from one process; more are answered 503 `overloaded`.',
      example: '200',
    }),
    MAX_IN_FLIGHT_PER_SESSION: optional(wholeNumber(1, mostInFlight), {
      doc: 'How many of them one session may hold; more are answered 429 `rate_limited`. Callers without a session share that by address, where the address is known. A tenth of `MAX_IN_FLIGHT` unless set, and at least 10.',
      example: '50',
    }),
    UPLOAD_MIN_RATE: withDefault(wholeNumber(0, largestBodyBytes), '128', {
      doc: 'The slowest upload that is borne, in bytes a second over 30 seconds in which the API takes them; a slower one is answered 408 `request_timeout`. 0 for any.',
      example: '1024',
    }),
    MAX_WEBSOCKETS_PER_SESSION: withDefault(wholeNumber(1, mostInFlight), '32', {
      doc: 'WebSockets that one session may hold open at once in one process; more are answered 429.',
      example: '8',
    }),
    WEBSOCKET_MAX_MESSAGE: withDefault(bytes(largestMessageBytes), '1mb', {
      doc: 'The largest WebSocket message in either direction; a larger one closes the socket with 1009.',
      example: '64kb',
      unit: 'bytes (kb, mb, gb)',
    }),
    UPSTREAM_PROXY: withDefault(oneOf('off', 'environment'), 'off', {
      doc: 'Whether https APIs are reached through `HTTPS_PROXY`, by a tunnel (CONNECT); `NO_PROXY` and loopback are exempt. WebSockets too. APIs with plain http never go through a proxy.',
      example: 'environment',
    }),
    UPSTREAM_CA: optional(certificatePem, {
      doc: "Certificate authorities trusted for https APIs, instead of the system's. Certificates are always verified.",
      example: '/etc/coatcheck/upstream-ca.pem',
      unit: 'PEM text',
      fileForm: true,
    }),
    UPSTREAM_CERTIFICATE: optional(certificatePem, {
      doc: 'The client certificate shown to https APIs; together with `UPSTREAM_KEY`.',
      example: '/etc/coatcheck/upstream-client.pem',
      unit: 'PEM text',
      fileForm: true,
    }),
    UPSTREAM_KEY: optional(privateKeyPem, {
      doc: 'The private key of that certificate, without a passphrase.',
      example: '/run/secrets/upstream-client-key',
      unit: 'PEM text',
      secret: true,
    }),
  },
} as const
