import type { DeviceState, SessionView } from '../record/session.ts'
import type { BoundTo, BoundValues } from './bound-values.ts'

/** What the settings say about the binding of sessions to devices; the configuration fits. */
export interface DeviceOptions {
  readonly deviceBinding: 'off' | 'auto' | 'required'
  /** Life of the bound cookie, seconds. */
  readonly deviceBindingLifetime: number
}

/** What a request says of its device. */
export type DeviceVerdict =
  | ProvenDevice
  /** The cookie is missing, of another session or key, or over. */
  | { readonly kind: 'unproven' }

/** The rule of the bound cookie, asked for every guarded request of a session that has one. */
export interface DeviceRule {
  /** Synchronous; a value that was good before costs a comparison of texts. */
  judge(view: SessionView, device: DeviceState, untrustedValue: string | undefined): DeviceVerdict
  /** From when on a proof is demanded, epoch milliseconds; 0: always; `undefined`: as long as nothing changes never. */
  demandedFromMs(device: DeviceState): number | undefined
}

/** How long a session may stay unbound where binding is required, from the first offer on, milliseconds. */
export const unboundForMs = 60_000

/** A tenth of the bound cookie's life is let pass after its end, but no more than this, milliseconds. */
const mostToleranceMs = 60_000

/** How long a value is still taken after its end: the browser's clock and ours differ, and requests are on their way. */
export function toleranceMs({ deviceBindingLifetime }: DeviceOptions): number {
  return Math.min(mostToleranceMs, deviceBindingLifetime * 100)
}

/** Nothing is demanded of this session (until then, where something will be), or what was demanded is there. */
interface ProvenDevice {
  readonly kind: 'proven'
  readonly untilMs: number | undefined
  readonly isFirst: boolean
}

/** The last good value of a session, and what is said of whoever brings it: nothing is made for each request. */
interface GoodValue {
  readonly text: string
  readonly untilMs: number
  readonly verdict: ProvenDevice
}

const nothingDemanded: ProvenDevice = { kind: 'proven', untilMs: undefined, isFirst: false }

/**
 * Makes the rule. The last good value of a session is kept with its cached view, and goes with it.
 *
 * @param now the clock, epoch milliseconds
 */
export function createDeviceRule(options: DeviceOptions, values: BoundValues, now: () => number): DeviceRule {
  const lastGood = new WeakMap<SessionView, GoodValue>()
  const graceMs = toleranceMs(options)
  const demandedFromMs = ({ isEnforced, offeredAtMs }: DeviceState): number | undefined => {
    if (isEnforced) return 0
    return options.deviceBinding === 'required' ? offeredAtMs + unboundForMs : undefined
  }

  const findGood = (
    view: SessionView,
    publicJwk: BoundTo['publicJwk'],
    isFirst: boolean,
    untrustedValue: string,
  ): GoodValue | undefined => {
    const known = lastGood.get(view)
    if (known?.text === untrustedValue) return known
    const endsAtSeconds = values.readEnd(untrustedValue, { h: view.h, publicJwk })
    if (endsAtSeconds === undefined) return undefined
    const untilMs = endsAtSeconds * 1_000 + graceMs
    const good: GoodValue = { text: untrustedValue, untilMs, verdict: { kind: 'proven', untilMs, isFirst } }
    lastGood.set(view, good)
    return good
  }
  return {
    demandedFromMs,
    judge(view, device, untrustedValue) {
      const { publicJwk, isEnforced } = device
      if (publicJwk !== undefined && untrustedValue !== undefined) {
        const good = findGood(view, publicJwk, !isEnforced, untrustedValue)
        if (good !== undefined && now() < good.untilMs) return good.verdict
      }
      const untilMs = demandedFromMs(device)
      if (untilMs === undefined) return nothingDemanded
      return now() >= untilMs ? { kind: 'unproven' } : { kind: 'proven', untilMs, isFirst: false }
    },
  }
}
