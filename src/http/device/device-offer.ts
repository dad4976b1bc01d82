import type { OpenSession } from '../../session/lifecycle/sessions.ts'
import type { SessionRecord } from '../../session/record/session.ts'
import type { HttpContext } from '../server/http-context.ts'
import type { DeviceBinding } from './device-binding.ts'

/** How a session stands to its device, as `GET /session` says it. */
export type DeviceStatus = 'bound' | 'unbound' | 'unsupported'

/** How long after a login the binding is offered, milliseconds: a browser that has it registers within a second. */
const offeredForMs = 120_000

/** How a session is bound. One that was offered the binding and did not take it is in a browser that has none. */
function deviceStatus({ view }: OpenSession, binding: DeviceBinding, nowMs: number): DeviceStatus {
  if (view.device?.publicJwk !== undefined) return 'bound'
  return isOffered(view.createdAtMs, binding, nowMs) ? 'unbound' : 'unsupported'
}

/** What `GET /session` says of the device. */
export interface DeviceAnswer {
  readonly device: DeviceStatus
  /** Of a bound session: whole seconds to the end of the proof that came with the question, 0 without one. */
  readonly deviceExpiresIn?: number
}

/** Describes how a session stands to its device to the page that it belongs to. */
export function describeDevice(
  { cookies, now }: Pick<HttpContext, 'cookies' | 'now'>,
  binding: DeviceBinding,
  session: OpenSession,
  untrustedCookies: string | undefined,
): DeviceAnswer {
  const device = deviceStatus(session, binding, now())
  const { h, device: state } = session.view
  if (state?.publicJwk === undefined) return { device }
  const untrustedValue = cookies.readDevice(untrustedCookies) ?? ''
  const endsAtSeconds = binding.values.readEnd(untrustedValue, { h, publicJwk: state.publicJwk }) ?? 0
  return { device, deviceExpiresIn: Math.max(0, Math.floor(endsAtSeconds - now() / 1_000)) }
}

function isOffered(createdAtMs: number, { isRequired }: DeviceBinding, nowMs: number): boolean {
  return isRequired || nowMs < createdAtMs + offeredForMs
}

/**
 * The header that offers a browser to bind this session to its device (Device Bound Session Credentials); `undefined` when it is bound, or
 * the time for it is over. Where binding is required, the first offer is noted in the record: the time without one begins there.
 */
export async function offerDevice(
  context: Pick<HttpContext, 'accessTokens' | 'paths' | 'now'>,
  binding: DeviceBinding,
  session: OpenSession,
): Promise<string | undefined> {
  const nowMs = context.now()
  if (deviceStatus(session, binding, nowMs) !== 'unbound') return undefined
  if (binding.isRequired && session.view.device === undefined) {
    await context.accessTokens.update(session, (record) => offered(record, nowMs))
  }
  const challenge = binding.challenges.make(session.view.h)
  return `(ES256);path="${context.paths.device}";challenge="${challenge}"`
}

function offered(record: SessionRecord, nowMs: number): SessionRecord {
  return record.device === undefined
    ? { ...record, device: { offeredAtMs: nowMs, isEnforced: false } }
    : record
}
