import type { Sealer } from '../../sealing/sealer.ts'
import { jwkThumbprint } from '../../signing/thumbprints.ts'

/** Whose value it is: a session and the key that its device has proved. */
export interface BoundTo {
  readonly h: string
  readonly publicJwk: Readonly<Record<string, unknown>>
}

/** Values of the cookie that is bound to the device: `<end>.<MAC>`; nothing is kept of them. */
export interface BoundValues {
  /** @param endsAtSeconds epoch seconds */
  make(to: BoundTo, endsAtSeconds: number): string
  /** When a value ends, epoch seconds; `undefined` when it is none of this session and key. */
  readEnd(untrustedValue: string, to: BoundTo): number | undefined
}

const valuePattern = /^(\d{10})\.([A-Za-z0-9_-]{43})$/

/** Makes values that are authenticated under `SESSION_SECRET`; those made under any secret of a rotation are known. */
export function createBoundValues(sealer: Pick<Sealer, 'hmac' | 'isHmac'>): BoundValues {
  const textOf = ({ h, publicJwk }: BoundTo, end: string): string => `${h} ${jwkThumbprint(publicJwk)} ${end}`
  return {
    make(to, endsAtSeconds) {
      const end = `${endsAtSeconds}`
      return `${end}.${sealer.hmac('device-value', textOf(to, end))}`
    },
    readEnd(untrustedValue, to) {
      const [, end, mac] = valuePattern.exec(untrustedValue) ?? []
      if (end === undefined || mac === undefined) return undefined
      return sealer.isHmac('device-value', textOf(to, end), mac) ? Number(end) : undefined
    },
  }
}
