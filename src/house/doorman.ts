import type { IncomingMessage } from 'node:http'
import { resourceMetadataPrefix } from '../config/endpoints.ts'
import { isPlainAuthority, pathOf } from '../config/settings/kinds/address.ts'
import { GatewayError } from '../errors/gateway-error.ts'

/** What the doorman knows a frontend by. */
export interface Door {
  /** `BASE_URL`. */
  readonly baseUrl: URL
}

/** Whom the doorman believes when they say which host was asked for. */
export interface DoormanOptions {
  /** Whether an address is that of a proxy in `TRUST_PROXY`. */
  readonly isTrusted: (address: string | undefined) => boolean
}

/** Chooses the frontend of a request (DESIGN-2 section 3). */
export interface Doorman<Chosen extends Door> {
  /**
   * By the authority that was asked for, then by the longest path of a `BASE_URL`. Pure.
   *
   * @throws GatewayError `request_invalid` for an authority that may be read in two ways; `misdirected_request` for one of nobody's
   */
  choose(request: Pick<IncomingMessage, 'rawHeaders' | 'url' | 'socket'>): Chosen
  /** The same for an authority that somebody vouches for, and a target of it. */
  chooseBy(untrustedAuthority: string, target: string): Chosen
}

/** A frontend and its path. */
interface Place<Chosen> {
  readonly path: string
  readonly door: Chosen
}

const defaultPorts: Readonly<Record<string, string>> = { 'https:': ':443', 'http:': ':80' }

/** Makes the doorman of these frontends. */
export function createDoorman<Chosen extends Door>(
  doors: Iterable<Chosen>,
  { isTrusted }: DoormanOptions,
): Doorman<Chosen> {
  const places = placesByAuthority(doors)
  const chooseBy = (untrustedAuthority: string, target: string): Chosen => {
    const found = places.get(untrustedAuthority) ?? places.get(normalised(untrustedAuthority))
    const described = describedBy(target)
    const place = found?.find(({ path }) => isBeneath(described, path))
    if (place === undefined) throw new GatewayError('misdirected_request')
    return place.door
  }
  return {
    chooseBy,
    choose(request) {
      const { rawHeaders, url = '' } = request
      const host = onlyLine(rawHeaders, 'host')
      if (host === undefined) throw unclear('The request must have one Host header.')
      return chooseBy(forwardedHost(request, isTrusted) ?? host, url)
    },
  }
}

function placesByAuthority<Chosen extends Door>(
  doors: Iterable<Chosen>,
): ReadonlyMap<string, readonly Place<Chosen>[]> {
  const places = new Map<string, Place<Chosen>[]>()
  for (const door of doors) {
    const { host, port, protocol } = door.baseUrl
    const spellings = port === '' ? [host, `${host}${defaultPorts[protocol]}`] : [host]
    for (const spelling of spellings) {
      const there = places.get(spelling) ?? []
      there.push({ path: pathOf(door.baseUrl), door })
      places.set(spelling, there)
    }
  }
  for (const there of places.values()) there.sort((one, other) => other.path.length - one.path.length)
  return places
}

/** What a proxy that is believed says was asked for; `undefined` when it says nothing, or nobody is believed. */
function forwardedHost(
  { rawHeaders, socket }: Pick<IncomingMessage, 'rawHeaders' | 'socket'>,
  isTrusted: DoormanOptions['isTrusted'],
): string | undefined {
  if (!isTrusted(socket.remoteAddress)) return undefined
  const line = onlyLine(rawHeaders, 'x-forwarded-host')
  if (line !== undefined || !hasLine(rawHeaders, 'x-forwarded-host')) return line
  throw unclear('The request must have at most one X-Forwarded-Host header.')
}

/** The value of a header that is there once, from the raw list: Node keeps the first of several and says nothing. */
function onlyLine(rawHeaders: readonly string[], name: string): string | undefined {
  let value: string | undefined
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (!isNamed(rawHeaders[at], name)) continue
    if (value !== undefined) return undefined
    value = rawHeaders[at + 1] ?? ''
  }
  return value
}

function hasLine(rawHeaders: readonly string[], name: string): boolean {
  return rawHeaders.some((text, at) => at % 2 === 0 && isNamed(text, name))
}

function isNamed(text: string | undefined, name: string): boolean {
  return text !== undefined && text.length === name.length && text.toLowerCase() === name
}

/** @throws GatewayError `request_invalid` */
function normalised(untrustedAuthority: string): string {
  const lower = untrustedAuthority.toLowerCase()
  const url = isPlainAuthority(lower) ? URL.parse(`http://${lower}`) : null
  if (url === null) throw unclear('The Host of the request is not plain.')
  // Only an IPv6 address has several spellings that mean the same.
  return lower.startsWith('[') ? `${url.hostname}${/\](:.*)?$/.exec(lower)?.[1] ?? ''}` : lower
}

/** Metadata of a resource stands at the root of the origin, and belongs to whose resource it describes. */
function describedBy(target: string): string {
  const isMetadata = target.startsWith(`${resourceMetadataPrefix}/`)
  return isMetadata ? target.slice(resourceMetadataPrefix.length) : target
}

/** Whole segments, byte by byte. */
function isBeneath(target: string, path: string): boolean {
  if (!target.startsWith(path)) return false
  const next = target.charCodeAt(path.length)
  return next === slash || next === question || target.length === path.length
}

const [slash, question] = [0x2f, 0x3f]

function unclear(detail: string): GatewayError {
  return new GatewayError('request_invalid', { detail })
}
