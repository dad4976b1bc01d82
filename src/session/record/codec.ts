import { isPlainObject } from '../../basics/plain-object.ts'
import type { AccessToken, Identity, TokenBinding, TokenSet } from '../../oidc/tokens/token-set.ts'
import { packText, readTail, type TailReader } from './packed-text.ts'
import type { DeviceState, SessionFacts, SessionRecord } from './session.ts'

/** Length of the JSON part, unsigned, big-endian. */
const lengthBytes = 4

/**
 * A record as bytes: the length of a JSON part, the JSON part, and the raw bytes of the tokens' segments (`packed-text.ts`).
 */
export function encodeRecord(record: SessionRecord): Buffer {
  const tail: Buffer[] = []
  const json = Buffer.from(JSON.stringify(toMembers(record, tail)))
  const length = Buffer.alloc(lengthBytes)
  length.writeUInt32BE(json.length)
  return Buffer.concat([length, json, ...tail])
}

function toMembers(record: SessionRecord, tail: Buffer[]): Record<string, unknown> {
  const { identity, tokens } = record
  return {
    created: record.createdAtMs,
    ends: record.endsAtMs,
    browser: record.browserFamily,
    iss: identity.issuer,
    sub: identity.subject,
    sid: identity.providerSessionId,
    iat: identity.loginIssuedAtSeconds,
    auth: identity.authTimeSeconds,
    acr: identity.acr,
    claims: identity.claims,
    id: packText(tokens.idToken, tail),
    refresh: tokens.refreshToken === undefined ? undefined : packText(tokens.refreshToken, tail),
    access: Object.entries(tokens.access).map(([key, token]) => [
      key,
      packText(token.value, tail),
      token.obtainedAtMs,
      token.expiresAtMs,
      ...extrasOf(token),
    ]),
    bound: tokens.binding,
    device: record.device,
    demand: record.lastDemand,
  }
}

/** What only format 2 knows of an access token, as a member of its own when there is any. */
function extrasOf({ claims, boundTo }: AccessToken): readonly object[] {
  return claims === undefined && boundTo === undefined ? [] : [{ claims, boundTo }]
}

/** Whether a record holds anything that format 1 has no place for. */
export function needsFormat2({ tokens, device, lastDemand }: SessionRecord): boolean {
  if (tokens.binding !== undefined || device !== undefined || lastDemand !== undefined) return true
  return Object.values(tokens.access).some((token) => extrasOf(token).length > 0)
}

/** Reads a record strictly: `undefined` when anything is missing, of another type or left over. */
export function decodeRecord(bytes: Buffer): SessionRecord | undefined {
  if (bytes.length < lengthBytes) return undefined
  const jsonEnd = lengthBytes + bytes.readUInt32BE(0)
  if (jsonEnd > bytes.length) return undefined
  const members = parseMembers(bytes.toString('utf8', lengthBytes, jsonEnd))
  if (members === undefined) return undefined
  const reader = readTail(bytes.subarray(jsonEnd))
  const tokens = toTokens(members, reader)
  const identity = toIdentity(members)
  const { created, ends, browser } = members
  if (!isTime(created) || !isTime(ends) || typeof browser !== 'string') return undefined
  if (tokens === undefined || identity === undefined || !reader.isAtEnd()) return undefined
  const extras = toExtras(members)
  if (extras === undefined) return undefined
  return { createdAtMs: created, endsAtMs: ends, browserFamily: browser, identity, tokens, ...extras }
}

/** What only format 2 has. */
function toExtras({ device, demand }: Members): Pick<SessionRecord, 'device' | 'lastDemand'> | undefined {
  const state = device === undefined ? undefined : toDevice(device)
  if ((device !== undefined && state === undefined) || !isOptional(demand, isText)) return undefined
  return {
    ...(state === undefined ? {} : { device: state }),
    ...(demand === undefined ? {} : { lastDemand: demand }),
  }
}

function toDevice(value: unknown): DeviceState | undefined {
  if (!isPlainObject(value)) return undefined
  const { offeredAtMs, publicJwk, registeredAtMs, isEnforced } = value
  if (!isTime(offeredAtMs) || typeof isEnforced !== 'boolean') return undefined
  if (!isOptional(publicJwk, isPlainObject) || !isOptional(registeredAtMs, isTime)) return undefined
  return {
    offeredAtMs,
    isEnforced,
    ...(publicJwk === undefined ? {} : { publicJwk }),
    ...(registeredAtMs === undefined ? {} : { registeredAtMs }),
  }
}

function toBinding(value: unknown): TokenBinding | undefined {
  if (!isPlainObject(value)) return undefined
  const { kind, privateJwk, certificateThumbprint } = value
  if (kind === 'dpop' && isPlainObject(privateJwk)) return { kind, privateJwk }
  if (kind === 'mtls' && isText(certificateThumbprint)) return { kind, certificateThumbprint }
  return undefined
}

type Members = Readonly<Record<string, unknown>>

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function parseMembers(text: string): Members | undefined {
  const value = parseJson(text)
  return isPlainObject(value) ? value : undefined
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function isOptional<T>(value: unknown, is: (value: unknown) => value is T): value is T | undefined {
  return value === undefined || is(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function toIdentity({ iss, sub, sid, iat, auth, acr, claims }: Members): Identity | undefined {
  if (!isText(iss) || !isText(sub) || !isOptional(sid, isText)) return undefined
  if (!isTime(iat) || !isOptional(auth, isTime) || !isOptional(acr, isText)) return undefined
  if (!isPlainObject(claims)) return undefined
  return {
    issuer: iss,
    subject: sub,
    providerSessionId: sid,
    loginIssuedAtSeconds: iat,
    authTimeSeconds: auth,
    acr,
    claims,
  }
}

function toTokens({ id, refresh, access, bound }: Members, reader: TailReader): TokenSet | undefined {
  const idToken = reader.text(id)
  const refreshToken = refresh === undefined ? undefined : reader.text(refresh)
  if (idToken === undefined || (refresh !== undefined && refreshToken === undefined)) return undefined
  if (!Array.isArray(access)) return undefined
  const entries = access.map((entry) => toAccessEntry(entry, reader))
  const complete = entries.filter((entry) => entry !== undefined)
  if (complete.length < entries.length) return undefined
  const binding = bound === undefined ? undefined : toBinding(bound)
  if (bound !== undefined && binding === undefined) return undefined
  const tokens = { idToken, refreshToken, access: Object.fromEntries(complete) }
  return binding === undefined ? tokens : { ...tokens, binding }
}

function toAccessEntry(
  entry: unknown,
  reader: TailReader,
): readonly [key: string, token: AccessToken] | undefined {
  if (!Array.isArray(entry) || entry.length < 4 || entry.length > 5) return undefined
  const [key, packed, obtainedAtMs, expiresAtMs, extras = {}]: readonly unknown[] = entry
  const value = reader.text(packed)
  if (!isText(key) || value === undefined || !isTime(obtainedAtMs) || !isTime(expiresAtMs)) return undefined
  if (!isPlainObject(extras)) return undefined
  const { claims, boundTo } = extras
  if (!isOptional(claims, isPlainObject) || !isOptional(boundTo, isText)) return undefined
  const token = { value, obtainedAtMs, expiresAtMs }
  return [
    key,
    {
      ...token,
      ...(claims === undefined ? {} : { claims }),
      ...(boundTo === undefined ? {} : { boundTo }),
    },
  ]
}

/**
 * Facts as bytes: a JSON array, because there are many of them and they are small. Only those of a session that is bound to a device have a
 * sixth member, which versions before that do not read.
 */
export function encodeFacts(facts: SessionFacts): Buffer {
  const { createdAtMs, endsAtMs, browserFamily, subjectIndex, providerSessionIndex, isDeviceBound } = facts
  return Buffer.from(
    JSON.stringify([
      createdAtMs,
      endsAtMs,
      browserFamily,
      subjectIndex,
      providerSessionIndex ?? null,
      ...(isDeviceBound ? [true] : []),
    ]),
  )
}

/** Reads facts strictly. */
export function decodeFacts(bytes: Buffer): SessionFacts | undefined {
  const value = parseJson(bytes.toString())
  if (!Array.isArray(value) || value.length < 5 || value.length > 6) return undefined
  // By their places: read by the thousand, and a pattern makes an object for each member.
  const members: readonly unknown[] = value
  const createdAtMs = members[0]
  const endsAtMs = members[1]
  const browserFamily = members[2]
  const subjectIndex = members[3]
  const providerSessionIndex = members[4] ?? undefined
  const bound = members.length > 5 ? members[5] : false
  if (!isTime(createdAtMs) || !isTime(endsAtMs) || !isText(browserFamily)) return undefined
  if (!isText(subjectIndex) || !isOptional(providerSessionIndex, isText)) return undefined
  if (typeof bound !== 'boolean') return undefined
  return { createdAtMs, endsAtMs, browserFamily, subjectIndex, providerSessionIndex, isDeviceBound: bound }
}
