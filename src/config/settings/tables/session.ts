import { hostAndPort } from '../kinds/address.ts'
import { maskRedisUrl, redisUrl } from '../kinds/redis-address.ts'
import { certificatePem, secretText } from '../kinds/secret.ts'
import { listOf, oneOf, onOff, seconds, text, wholeNumber } from '../kinds/values.ts'
import { optional, withDefault } from '../setting.ts'

/** A year: longer than any session should live. */
const longestLifetimeSeconds = 31_536_000
/** A day: longer proofs protect nobody. */
const longestProofSeconds = 86_400
/** At 3 KB each about 3 GB. */
const mostCachedSessions = 1_000_000

/** How long sessions live and how they are remembered. */
export const sessionSettings = {
  title: 'Sessions',
  rows: {
    SESSION_IDLE_TIMEOUT: withDefault(seconds(1, longestLifetimeSeconds), '1800', {
      doc: 'A session ends after this long without use.',
      example: '900',
      unit: 'seconds (m, h, d)',
    }),
    SESSION_MAX_LIFETIME: withDefault(seconds(1, longestLifetimeSeconds), '36000', {
      doc: 'A session ends this long after its login, used or not. Nothing extends it.',
      example: '28800',
      unit: 'seconds (m, h, d)',
    }),
    SESSION_COOKIE_PERSISTENT: withDefault(onOff, 'off', {
      doc: 'Whether the session cookie survives the end of the browser, up to the absolute lifetime.',
      example: 'on',
    }),
    DEVICE_BINDING: withDefault(oneOf('off', 'auto', 'required'), 'off', {
      doc: 'Whether sessions are bound to the device of their browser (Device Bound Session Credentials), so that a copied cookie is worth nothing elsewhere. `auto`: in browsers that can. `required`: a session that is not bound a minute after it was offered reaches no API.',
      example: 'auto',
    }),
    DEVICE_BINDING_LIFETIME: withDefault(wholeNumber(1, longestProofSeconds), '600', {
      doc: 'How long a browser’s proof of its device counts; a copied one is worthless after this and a tenth of it, at most a minute. Chromium proves a device six times in nine minutes at most, and ever again in the last two minutes of a proof: below 240 it runs out of proofs.',
      example: '300',
      unit: 'seconds',
    }),
    SESSION_STORE: withDefault(oneOf('auto', 'redis', 'memory'), 'auto', {
      scope: 'process',
      doc: "Where sessions are kept. `auto`: in Redis when one is configured, otherwise in this process's memory, where a restart ends them. `redis` refuses to start without one.",
      example: 'redis',
    }),
    SESSION_CACHE: withDefault(onOff, 'on', {
      scope: 'process',
      doc: 'Whether each process keeps what the proxy needs of a session for up to 10 s. Changes anywhere reach it at once; it is off by itself while they cannot.',
      example: 'off',
    }),
    SESSION_CACHE_SIZE: withDefault(wholeNumber(1, mostCachedSessions), '10000', {
      scope: 'process',
      doc: 'How many sessions one process keeps in that cache, at about 3 KB each; fewer when their tokens are longer than 4 KB.',
      example: '50000',
    }),
  },
} as const

/** The session store. */
export const redisSettings = {
  title: 'Redis',
  intro: 'One of `REDIS_URL`, `REDIS_SENTINELS` and `REDIS_CLUSTER_NODES`, or none.',
  rows: {
    REDIS_URL: optional(redisUrl, {
      scope: 'process',
      doc: 'One Redis server; `rediss://` for TLS, `unix:///run/redis.sock?db=0` for a socket. Redis 6.2 or newer, or Valkey.',
      example: 'redis://localhost:6379',
      secret: true,
      mask: maskRedisUrl,
      mistakenFor: ['REDIS', 'REDIS_URI', 'REDIS_HOST'],
    }),
    REDIS_SENTINELS: optional(listOf(hostAndPort(26_379)), {
      scope: 'process',
      doc: 'The Sentinels that know the master, separated by commas; port 26379 unless said otherwise.',
      example: 'sentinel-1:26379,sentinel-2:26379,sentinel-3:26379',
    }),
    REDIS_SENTINEL_MASTER: withDefault(text, 'mymaster', {
      scope: 'process',
      doc: 'The name under which the Sentinels know the master.',
      example: 'sessions',
    }),
    REDIS_SENTINEL_USERNAME: optional(text, {
      scope: 'process',
      doc: 'The ACL user of the Sentinels themselves.',
      example: 'coatcheck',
    }),
    REDIS_SENTINEL_PASSWORD: optional(secretText, {
      scope: 'process',
      doc: 'The password of the Sentinels themselves.',
      example: 'the-password-of-the-sentinels',
      secret: true,
    }),
    REDIS_CLUSTER_NODES: optional(listOf(hostAndPort(6_379)), {
      scope: 'process',
      doc: 'Some nodes of a Redis Cluster, separated by commas; the others are found through them.',
      example: 'node-1:6379,node-2:6379,node-3:6379',
    }),
    REDIS_USERNAME: optional(text, {
      scope: 'process',
      doc: 'The ACL user; `docs/operations.md` has the least rights it needs.',
      example: 'coatcheck',
    }),
    REDIS_PASSWORD: optional(secretText, {
      scope: 'process',
      doc: 'The password, when `REDIS_URL` holds none.',
      example: 'the-password-of-redis',
      secret: true,
    }),
    REDIS_TLS: withDefault(onOff, 'off', {
      scope: 'process',
      doc: 'Whether Sentinels and Cluster nodes are reached by TLS. With `REDIS_URL` its scheme decides.',
      example: 'on',
    }),
    REDIS_TLS_CA: optional(certificatePem, {
      scope: 'process',
      doc: "Certificate authorities trusted for Redis, instead of the system's.",
      example: '/etc/coatcheck/redis-ca.pem',
      unit: 'PEM text',
      fileForm: true,
    }),
  },
} as const
