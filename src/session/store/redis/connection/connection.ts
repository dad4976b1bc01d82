import { Cluster, Redis, type RedisOptions } from 'ioredis'
import type { HostAndPort } from '../../../../config/settings/kinds/address.ts'
import { readRedisUrl } from '../../../../config/settings/kinds/redis-address.ts'
import { TlsConnector, TlsSentinelConnector } from './tls-connectors.ts'

/** Where Redis is and how to enter; the fields are those of the settings. Exactly one way is set. */
export interface RedisAddress {
  readonly redisUrl?: string | undefined
  readonly redisSentinels?: readonly HostAndPort[] | undefined
  readonly redisSentinelMaster?: string
  readonly redisSentinelUsername?: string | undefined
  readonly redisSentinelPassword?: string | undefined
  readonly redisClusterNodes?: readonly HostAndPort[] | undefined
  readonly redisUsername?: string | undefined
  readonly redisPassword?: string | undefined
  /** For Sentinels and Cluster nodes; a URL says so by its scheme. */
  readonly redisTls?: boolean
  /** PEM; the system's authorities when absent. */
  readonly redisTlsCa?: string | undefined
}

/** The library's options, but for the one whose presence changes the types of all replies. */
export type ConnectionSettings = Omit<RedisOptions, 'replyMapping'>

/** A connection to one server, to the master of a Sentinel group, or to a Cluster. */
export type RedisClient = Redis | Cluster

/** The servers that hold the data: each master of a Cluster that is known by now, or the one there is. */
export function serversOf(client: RedisClient): readonly Redis[] {
  return client instanceof Cluster ? client.nodes('master') : [client]
}

/** A command that has no answer by then is given up: four of them in a row still answer the browser within two seconds. */
export const commandTimeoutMs = 500
/** A socket on which commands wait for so long without any answer is closed. */
const socketTimeoutMs = 2_000
const connectTimeoutMs = 2_000
/** A frozen server does not take part in closing a connection; after this the socket is destroyed. */
const disconnectTimeoutMs = 200
/** Reconnecting is cheap and an outage is not: never wait longer than this. */
const longestRetryDelayMs = 1_000
/** A read-only answer means that the master moved, and a new connection may find it; but not for every refused write. */
const readOnlyReconnectIntervalMs = 5_000
/** Retries of one command on a Cluster, each at most 100 ms later. */
const clusterRedirections = 5
const clusterRefreshIntervalMs = 10_000

function retryDelayMs(attempt: number): number {
  const jitterMs = Math.random() * 50
  return Math.min(25 * 2 ** Math.min(attempt, 10), longestRetryDelayMs - 50) + jitterMs
}

function reconnectWhenReadOnly(): (error: Error) => boolean {
  let lastMs = Number.NEGATIVE_INFINITY
  return (error) => {
    const nowMs = performance.now()
    if (!error.message.includes('READONLY') || nowMs - lastMs < readOnlyReconnectIntervalMs) return false
    lastMs = nowMs
    return true
  }
}

/**
 * What every connection has in common. Nothing is queued and nothing sent again after a lost connection: a caller hears at once
 * that the store does not answer. RESP2, because the library drops invalidation messages of RESP3.
 */
function commonOptions(address: RedisAddress): ConnectionSettings {
  return {
    protocol: 2,
    commandTimeout: commandTimeoutMs,
    socketTimeout: socketTimeoutMs,
    connectTimeout: connectTimeoutMs,
    disconnectTimeout: disconnectTimeoutMs,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResubscribe: false,
    disableClientInfo: true,
    connectionName: 'coatcheck',
    retryStrategy: retryDelayMs,
    reconnectOnError: reconnectWhenReadOnly(),
    ...(address.redisUsername === undefined ? {} : { username: address.redisUsername }),
    ...(address.redisPassword === undefined ? {} : { password: address.redisPassword }),
  }
}

function tlsOptions({ redisTlsCa }: RedisAddress): ConnectionSettings {
  return { tls: redisTlsCa === undefined ? {} : { ca: redisTlsCa }, Connector: TlsConnector }
}

function urlOptions(address: RedisAddress, redisUrl: string): ConnectionSettings {
  const { socketPath, host, port, database, username, password, isTls } = readRedisUrl(redisUrl)
  return {
    ...(socketPath === undefined ? { host, port } : { path: socketPath }),
    db: database,
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
    ...(isTls ? tlsOptions(address) : {}),
  }
}

function sentinelOptions(address: RedisAddress, sentinels: readonly HostAndPort[]): ConnectionSettings {
  return {
    sentinels: [...sentinels],
    name: address.redisSentinelMaster ?? 'mymaster',
    sentinelCommandTimeout: commandTimeoutMs,
    sentinelRetryStrategy: retryDelayMs,
    ...(address.redisSentinelUsername === undefined
      ? {}
      : { sentinelUsername: address.redisSentinelUsername }),
    ...(address.redisSentinelPassword === undefined
      ? {}
      : { sentinelPassword: address.redisSentinelPassword }),
    ...(address.redisTls === true ? sentinelTlsOptions(address) : {}),
  }
}

function sentinelTlsOptions(address: RedisAddress): ConnectionSettings {
  const { tls } = tlsOptions(address)
  return { tls, sentinelTLS: tls, enableTLSForSentinelMode: true, Connector: TlsSentinelConnector }
}

function nodeOptions(address: RedisAddress): ConnectionSettings {
  return { ...commonOptions(address), ...(address.redisTls === true ? tlsOptions(address) : {}) }
}

function createCluster(
  address: RedisAddress,
  nodes: readonly HostAndPort[],
  overrides: ConnectionSettings,
): Cluster {
  return new Cluster([...nodes], {
    redisOptions: { ...nodeOptions(address), ...overrides },
    enableOfflineQueue: false,
    maxRedirections: clusterRedirections,
    slotsRefreshInterval: clusterRefreshIntervalMs,
    clusterRetryStrategy: retryDelayMs,
    // Names stay names, so that certificates can be checked against them.
    dnsLookup: (name, done) => done(null, name),
  })
}

/** Whoever sends commands over this connection ends their wait: the library's limits go on while this process stalls. */
export const ownDeadlines: ConnectionSettings = { commandTimeout: undefined }

/** Opens the connection that carries the commands. It connects, and reconnects, by itself. */
export function connectRedis(address: RedisAddress, overrides: ConnectionSettings = {}): RedisClient {
  if (address.redisClusterNodes === undefined) return connectSingle(address, overrides)
  return createCluster(address, address.redisClusterNodes, overrides)
}

/**
 * Opens a connection to one server: the only one, the Sentinels' master, or the given node of a Cluster.
 *
 * @param overrides options that this connection has otherwise
 */
export function connectSingle(address: RedisAddress, overrides: ConnectionSettings = {}): Redis {
  return new Redis({ ...commonOptions(address), ...placeOptions(address), ...overrides })
}

function placeOptions(address: RedisAddress): ConnectionSettings {
  if (address.redisUrl !== undefined) return urlOptions(address, address.redisUrl)
  if (address.redisSentinels !== undefined) return sentinelOptions(address, address.redisSentinels)
  return nodeOptions(address)
}
