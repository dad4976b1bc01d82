import { healthEndpoints } from '../endpoints.ts'
import { clientRules } from './client-rules.ts'
import { isLoopbackHost, pathOf } from './kinds/address.ts'
import { readRedisUrl } from './kinds/redis-address.ts'
import { profileRules } from './profile-rules.ts'
import { type ConfigRule, rule } from './rule.ts'
import type { SettingValues } from './settings.ts'

type RedisAddresses = Pick<SettingValues, 'redisUrl' | 'redisSentinels' | 'redisClusterNodes'>

/** How many ways to a Redis are configured. */
function countRedisAddresses(values: RedisAddresses): number {
  const ways = [values.redisUrl, values.redisSentinels, values.redisClusterNodes]
  return ways.filter((way) => way !== undefined).length
}

/** Whether sessions are kept in Redis. */
export function usesRedis(values: RedisAddresses & Pick<SettingValues, 'sessionStore'>): boolean {
  return values.sessionStore !== 'memory' && countRedisAddresses(values) > 0
}

const redisAddresses = ['REDIS_URL', 'REDIS_SENTINELS', 'REDIS_CLUSTER_NODES'] as const

/** What must be true of several settings together. */
export const configRules: readonly ConfigRule[] = [
  rule(['API_URL', 'ROUTES_FILE'], ({ apiUrl, routesFile }) => {
    if (apiUrl !== undefined && routesFile !== undefined)
      return 'is set, and so is ROUTES_FILE; keep one of them'
    return apiUrl === undefined && routesFile === undefined ? 'is missing (or set ROUTES_FILE)' : undefined
  }),
  rule(['BASE_URL'], ({ baseUrl }) =>
    healthEndpoints.some((path) => path === pathOf(baseUrl) || pathOf(baseUrl).startsWith(`${path}/`))
      ? 'has a path of the probes, which are at the root whatever BASE_URL says'
      : undefined,
  ),
  rule(['API_AUDIENCE', 'AUDIENCE_PARAMETER', 'ACCESS_TOKEN_FORMAT'], (values) =>
    values.apiAudience === undefined &&
    (values.audienceParameter !== 'none' || values.accessTokenFormat === 'jwt')
      ? 'is missing (it may be only with AUDIENCE_PARAMETER=none and an ACCESS_TOKEN_FORMAT other than jwt)'
      : undefined,
  ),
  rule(['DEVICE_BINDING', 'BASE_URL'], ({ deviceBinding, baseUrl }) =>
    deviceBinding === 'required' && baseUrl.protocol !== 'https:'
      ? 'cannot be required: browsers bind sessions of https origins only, and BASE_URL is http'
      : undefined,
  ),
  rule(['SPA_URL', 'SPA_DIR'], ({ spaUrl, spaDir }) =>
    spaUrl !== undefined && spaDir !== undefined ? 'is set, and so is SPA_DIR; keep one of them' : undefined,
  ),
  rule(['ADMIN_PORT', 'PORT'], ({ adminPort, port }) =>
    adminPort === port ? 'must differ from PORT, which the internet may reach' : undefined,
  ),
  rule(['FORWARD_AUTH_PORT', 'PORT', 'ADMIN_PORT'], ({ forwardAuthPort, port, adminPort }) =>
    forwardAuthPort !== undefined && (forwardAuthPort === port || forwardAuthPort === adminPort)
      ? 'must differ from PORT and ADMIN_PORT: its answers hold access tokens'
      : undefined,
  ),
  rule(['FORWARD_AUTH_HOST', 'FORWARD_AUTH_PORT', 'TRUST_PROXY'], (values) =>
    values.forwardAuthPort !== undefined &&
    !isLoopbackHost(values.forwardAuthHost) &&
    values.trustProxy.length === 0
      ? 'is not on loopback, so TRUST_PROXY must name the proxies that may ask there'
      : undefined,
  ),
  rule(redisAddresses, (values) =>
    countRedisAddresses(values) > 1
      ? 'is one of several ways to Redis that are set; keep one of REDIS_URL, REDIS_SENTINELS, REDIS_CLUSTER_NODES'
      : undefined,
  ),
  rule(['SESSION_STORE', ...redisAddresses], (values) =>
    values.sessionStore === 'redis' && countRedisAddresses(values) === 0
      ? 'is redis, but none of REDIS_URL, REDIS_SENTINELS, REDIS_CLUSTER_NODES is set'
      : undefined,
  ),
  rule(['WORKERS', 'SESSION_STORE', ...redisAddresses], (values) =>
    values.workers > 1 && !usesRedis(values)
      ? 'above 1 needs sessions in Redis: processes cannot share their memory'
      : undefined,
  ),
  rule(['REDIS_PASSWORD', 'REDIS_URL'], ({ redisPassword, redisUrl }) =>
    redisPassword !== undefined && redisUrl !== undefined && readRedisUrl(redisUrl).password !== ''
      ? 'is set, and REDIS_URL holds a password too; keep one of them'
      : undefined,
  ),
  rule(['REDIS_TLS', 'REDIS_URL'], ({ redisTls, redisUrl }) =>
    redisTls && redisUrl?.startsWith('redis:') === true
      ? 'is on, but REDIS_URL begins with redis://; write rediss:// there'
      : undefined,
  ),
  rule(['REDIS_TLS_CA', 'REDIS_TLS', 'REDIS_URL'], ({ redisTlsCa, redisTls, redisUrl }) =>
    redisTlsCa !== undefined && !redisTls && redisUrl?.startsWith('rediss:') !== true
      ? 'is set, but Redis is not reached by TLS: write rediss:// or set REDIS_TLS=on'
      : undefined,
  ),
  rule(['UPSTREAM_CERTIFICATE', 'UPSTREAM_KEY'], ({ upstreamCertificate, upstreamKey }) =>
    (upstreamCertificate === undefined) !== (upstreamKey === undefined)
      ? 'and UPSTREAM_KEY belong together; set both or neither'
      : undefined,
  ),
  ...clientRules,
  ...profileRules,
]
