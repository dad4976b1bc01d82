import type { DeviceState, SessionRecord } from '../record/session.ts'

/** A device's public key, as its first proof brought it. */
export type DeviceKey = Readonly<Record<string, unknown>>

/** By then a browser has the answer of its registration, or never gets it, milliseconds. */
export const answeredWithinMs = 10_000

/**
 * Whether a device may be registered for a session: once per session, but the answer of a registration can be lost, and a browser that did
 * not get it throws its key away. A key that nobody has shown the cookie of since is given up after {@link answeredWithinMs}, so that the
 * browser gets another chance. Once its cookie was seen, no key ever takes its place.
 */
export function isOpenToDevice(device: DeviceState | undefined, nowMs: number): boolean {
  if (device?.publicJwk === undefined) return true
  return !device.isEnforced && nowMs >= (device.registeredAtMs ?? 0) + answeredWithinMs
}

/** The record with this key in it; the same record when it is not open to one. */
export function withDevice(record: SessionRecord, publicJwk: DeviceKey, nowMs: number): SessionRecord {
  const { device } = record
  if (!isOpenToDevice(device, nowMs)) return record
  const offeredAtMs = device?.offeredAtMs ?? nowMs
  return { ...record, device: { offeredAtMs, publicJwk, registeredAtMs: nowMs, isEnforced: false } }
}

/** The record that demands proofs from now on; the same record when another key is in it than the one that was proven. */
export function withDemand(record: SessionRecord, provenJwk: DeviceKey): SessionRecord {
  const { device } = record
  if (device === undefined || device.isEnforced || !hasKey(device, provenJwk)) return record
  return { ...record, device: { ...device, isEnforced: true } }
}

/** Whether this key is the session's device. */
export function hasKey(device: DeviceState | undefined, { x, y }: DeviceKey): boolean {
  const publicJwk = device?.publicJwk
  return publicJwk !== undefined && publicJwk.x === x && publicJwk.y === y
}
