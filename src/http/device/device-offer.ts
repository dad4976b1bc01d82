import type { IncomingHttpHeaders } from 'node:http'
import { GatewayError } from '../../errors/gateway-error.ts'
import { isOpenToDevice } from '../../session/device/registration.ts'
import type { OpenSession } from '../../session/lifecycle/sessions.ts'
import type { SessionRecord } from '../../session/record/session.ts'
import type { HttpContext } from '../server/http-context.ts'
import type { DeviceBinding } from './device-binding.ts'

/** How a session stands to its device, as `GET /session` says it. */
export type DeviceStatus = 'bound' | 'unbound' | 'unsupported'

/** How long after a login the binding is offered, milliseconds: a browser that has it registers within a second. */
const offeredForMs = 120_000

/** What `GET /session` says of the device. */
export interface DeviceAnswer {
  readonly device: DeviceStatus
  /** Of a bound session: whole seconds to the end of the proof that came with the question, 0 without one. */
  readonly deviceExpiresIn?: number
}

/** Describes how a session stands to its device to the page that it belongs to. */
export function describeDevice(
  { cookies }: Pick<HttpContext, 'cookies'>,
  binding: DeviceBinding,
  { view }: OpenSession,
  untrustedHeaders: IncomingHttpHeaders,
): DeviceAnswer {
  const { h, device } = view
  const nowMs = binding.now()
  // One that was offered the binding and did not take it is in a browser that has none.
  const otherwise = isOffered(view.createdAtMs, binding, nowMs) ? 'unbound' : 'unsupported'
  if (device?.publicJwk === undefined) return { device: otherwise }
  const untrustedValue = cookies.readDevice(untrustedHeaders.cookie) ?? ''
  const endsAtSeconds = binding.values.readEnd(untrustedValue, { h, publicJwk: device.publicJwk })
  // A browser that has the key comes with its cookie, or says why it does not; without either the answer of its registration was lost.
  const hasKey = endsAtSeconds !== undefined || untrustedHeaders['secure-session-skipped'] !== undefined
  if (!hasKey && isOpenToDevice(device, nowMs)) return { device: otherwise }
  return {
    device: 'bound',
    deviceExpiresIn: Math.max(0, Math.floor((endsAtSeconds ?? 0) - nowMs / 1_000)),
  }
}

function isOffered(createdAtMs: number, { isRequired }: DeviceBinding, nowMs: number): boolean {
  return isRequired || nowMs < createdAtMs + offeredForMs
}

/**
 * The header that offers a browser to bind this session to its device (Device Bound Session Credentials); `undefined` when it is bound, or
 * the time for it is over. Where binding is required, the first offer is noted in the record: the time without one begins there.
 */
export async function offerDevice(
  context: Pick<HttpContext, 'cookies' | 'accessTokens' | 'paths'>,
  binding: DeviceBinding,
  session: OpenSession,
  untrustedHeaders: IncomingHttpHeaders,
): Promise<string | undefined> {
  if (describeDevice(context, binding, session, untrustedHeaders).device !== 'unbound') return undefined
  if (binding.isRequired && session.view.device === undefined) await noteOffer(context, binding, session)
  const challenge = binding.challenges.make(session.view.h)
  return `(ES256);path="${context.paths.device}";challenge="${challenge}"`
}

/** What cannot be written now is written at the next offer: that is no reason not to say who is signed in. */
async function noteOffer(
  { accessTokens }: Pick<HttpContext, 'accessTokens'>,
  binding: DeviceBinding,
  session: OpenSession,
): Promise<void> {
  const nowMs = binding.now()
  try {
    await accessTokens.update(session, (record) => offered(record, nowMs))
  } catch (error) {
    if (!(error instanceof GatewayError) || !passing.has(error.code)) throw error
  }
}

const passing: ReadonlySet<string> = new Set(['session_store_unavailable', 'provider_unavailable'])

function offered(record: SessionRecord, nowMs: number): SessionRecord {
  return record.device === undefined
    ? { ...record, device: { offeredAtMs: nowMs, isEnforced: false } }
    : record
}
