import type { RedisClient } from './connection/connection.ts'

/**
 * For scripts that replace a foreign value: what a command has answered, or false where the key held something else than ours. Any other error (no
 * memory, no right) says nothing of the key, and must not make anybody replace it.
 */
const ours = `
local function ours(reply)
  if type(reply) ~= 'table' or not reply.err then return reply end
  for _, words in ipairs({'WRONGTYPE', 'not an integer', 'overflow'}) do
    if string.find(reply.err, words, 1, true) then return false end
  end
  error(reply.err, 0)
end`

/**
 * Everything that must happen at once, in Lua; each touches the keys of one slot of a Cluster, but for those that take any number of keys (see `slots.ts`). Each may run twice (a Cluster
 * client repeats what a lost connection left unanswered) and then answers like the first time.
 */
const scripts = {
  /** KEYS session; ARGV d, v, m, t, ttl. 1: created, now or by the same write before. 0: exists. */
  coatcheckCreate: `
if redis.call('EXISTS', KEYS[1]) == 1 then
  return redis.pcall('HGET', KEYS[1], 'v') == ARGV[2] and 1 or 0
end
redis.call('HSET', KEYS[1], 'd', ARGV[1], 'v', ARGV[2], 'm', ARGV[3], 't', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1`,

  /** KEYS session; ARGV expected v, new v, d, longest ttl or '', [m]. 1: replaced. 0: another write id. -1: gone. */
  coatcheckReplace: `
local v = redis.call('HGET', KEYS[1], 'v')
if not v then return -1 end
if v == ARGV[2] then return 1 end
if v ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'd', ARGV[3], 'v', ARGV[2])
if ARGV[5] then redis.call('HSET', KEYS[1], 'm', ARGV[5]) end
if ARGV[4] ~= '' and redis.call('PTTL', KEYS[1]) > tonumber(ARGV[4]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return 1`,

  /** KEYS session; ARGV t, ttl. 1: done. 0: absent, nothing written. */
  coatcheckTouch: `
local last = redis.call('HGET', KEYS[1], 't')
if not last then return 0 end
if tonumber(ARGV[1]) > (tonumber(last) or 0) then redis.call('HSET', KEYS[1], 't', ARGV[1]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`,

  /** KEYS sessions. For each its facts; 1 when it had none; 0 when there was no session. */
  coatcheckDeleteEach: `
local found = {}
for at, key in ipairs(KEYS) do
  local m = redis.pcall('HGET', key, 'm')
  local existed = redis.call('DEL', key)
  found[at] = existed == 1 and type(m) == 'string' and m or existed
end
return found`,

  /**
   * KEYS session, taken; ARGV attempt, life of what was taken. {d, v} of what is gone, now or by the same attempt before; {}: nothing. A Redis
   * without memory keeps nothing of what was taken, but lets sessions end.
   */
  coatcheckTake: `${ours}
local row = ours(redis.pcall('HMGET', KEYS[1], 'd', 'v'))
if not row or not row[1] or not row[2] then
  if redis.call('DEL', KEYS[1]) == 1 then return {} end
  local taken = redis.call('HMGET', KEYS[2], 'a', 'd', 'v')
  return taken[1] == ARGV[1] and {taken[2], taken[3]} or {}
end
redis.pcall('HSET', KEYS[2], 'a', ARGV[1], 'd', row[1], 'v', row[2])
redis.pcall('PEXPIRE', KEYS[2], ARGV[2])
redis.call('DEL', KEYS[1])
return row`,

  /** KEYS lease; ARGV owner, ttl. 1: ours. 0: somebody else's. What is no lease at all is replaced. */
  coatcheckAcquire: `${ours}
local owner = ours(redis.pcall('GET', KEYS[1]))
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`,

  /** KEYS lease; ARGV owner, ttl. 1: extended. 0: no longer ours. */
  coatcheckRenew: `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`,

  /** KEYS lease; ARGV owner. */
  coatcheckRelease: `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`,

  /** KEYS index; ARGV h, score, ttl, longest session in seconds, most candidates. Members that may be pruned, and first: foreign or not. */
  coatcheckAddToIndex: `${ours}
local foreign = not ours(redis.pcall('ZADD', KEYS[1], ARGV[2], ARGV[1]))
if foreign then
  redis.call('DEL', KEYS[1])
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
local oldest = tonumber(redis.call('TIME')[1]) - tonumber(ARGV[4])
local old = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. oldest, 'LIMIT', 0, ARGV[5])
table.insert(old, 1, foreign and 1 or 0)
return old`,

  /** KEYS indexes; ARGV for each a member that leaves it. What is no index stays. */
  coatcheckRemoveEach: `
for at, key in ipairs(KEYS) do redis.pcall('ZREM', key, ARGV[at]) end
return 1`,

  /** KEYS state; ARGV nonce of this attempt, ttl. {1 or 0, store's clock in ms when it was redeemed}. */
  coatcheckRedeem: `${ours}
local time = redis.call('TIME')
local ms = time[1] * 1000 + math.floor(time[2] / 1000)
local mark = ours(redis.pcall('GET', KEYS[1]))
if not mark then
  redis.call('SET', KEYS[1], string.format('%s %.0f', ARGV[1], ms), 'PX', ARGV[2])
  return {1, ms}
end
local nonce, first = string.match(mark, '^(%S+) (%d+)$')
return {nonce == ARGV[1] and 1 or 0, tonumber(first) or ms}`,

  /** KEYS device; ARGV challenge, ttl. 1: noted. 0: it was among those noted last. */
  coatcheckMarkDevice: `${ours}
local noted = ours(redis.pcall('GET', KEYS[1])) or ''
if string.find(noted, ARGV[1], 1, true) then return 0 end
redis.call('SET', KEYS[1], string.sub(ARGV[1] .. ' ' .. noted, 1, 1024), 'PX', ARGV[2])
return 1`,

  /** KEYS tombstone; ARGV ttl. */
  coatcheckEntomb: `
local time = redis.call('TIME')
local ms = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('SET', KEYS[1], ms, 'PX', ARGV[1])
return 1`,

  /** KEYS counter; ARGV window in ms. The count; -1: it begins anew, because something else was there, or a number that outlives the window. */
  coatcheckCount: `${ours}
local count = ours(redis.pcall('INCR', KEYS[1]))
if count == 1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  return 1
end
local ttl = redis.call('PTTL', KEYS[1])
if not count or ttl < 0 or ttl > tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
  return -1
end
return count`,
} as const

type Argument = string | number | Buffer
type Script = (key: string, ...args: readonly Argument[]) => Promise<unknown>
/** One that takes any number of keys, and that number first. */
type ManyKeysScript = (keyCount: number, ...args: readonly Argument[]) => Promise<unknown>
type ManyKeys = 'coatcheckDeleteEach' | 'coatcheckRemoveEach'

/** A client that knows the scripts; each takes its key, or its keys, and its arguments. */
export type ScriptedClient = RedisClient & {
  readonly [Name in Exclude<keyof typeof scripts, ManyKeys>]: Script
} & {
  readonly coatcheckRemoveEach: ManyKeysScript
  /** The same with an answer as bytes. */
  readonly coatcheckTakeBuffer: Script
  /** Its answer holds bytes. */
  readonly coatcheckDeleteEachBuffer: ManyKeysScript
}

/** Scripts with another number of keys than one; `undefined`: any. */
const keyCounts: ReadonlyMap<string, number | undefined> = new Map<keyof typeof scripts, number | undefined>([
  ['coatcheckTake', 2],
  ['coatcheckDeleteEach', undefined],
  ['coatcheckRemoveEach', undefined],
])

/** Teaches a client the scripts: sent whole once a connection, by their hash afterwards. */
export function defineScripts(client: RedisClient): ScriptedClient {
  for (const [name, lua] of Object.entries(scripts)) {
    const numberOfKeys = keyCounts.has(name) ? keyCounts.get(name) : 1
    client.defineCommand(name, { lua, ...(numberOfKeys !== undefined && { numberOfKeys }) })
  }
  return client as ScriptedClient
}
