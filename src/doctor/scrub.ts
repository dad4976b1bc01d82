import type { Config } from '../config/load-config.ts'
import { readRedisUrl } from '../config/settings/kinds/redis-address.ts'

/** Anything shorter is part of ordinary words. */
const shortestSecret = 4
const mask = '********'

/**
 * Takes the secrets of the settings out of a text. No finding should hold one; but some repeat what a provider says, and nobody knows what
 * that may be.
 */
export function createScrubber(config: Config): (text: string) => string {
  const {
    clientSecret,
    clientKey,
    clientEncryptionKey,
    clientCertificateKey,
    sessionSecret,
    redisPassword,
    redisSentinelPassword,
    redisUrl,
  } = config
  const password = redisUrl === undefined ? '' : readRedisUrl(redisUrl).password
  const secrets = [
    clientSecret,
    clientKey,
    clientEncryptionKey,
    clientCertificateKey,
    ...sessionSecret,
    redisPassword,
    redisSentinelPassword,
    password,
  ].filter((secret) => secret !== undefined && secret.length >= shortestSecret)
  return (text) => secrets.reduce<string>((left, secret) => left.replaceAll(secret ?? mask, mask), text)
}
