import type { Opened, Sealer } from '../../sealing/sealer.ts'
import type { SessionRow } from '../store/contract.ts'
import { decodeFacts, decodeRecord, encodeFacts, encodeRecord, needsFormat2 } from './codec.ts'
import type { SessionFacts, SessionRecord } from './session.ts'

/**
 * The format of record and facts, their first byte, in the clear: a node of an older version must be able to tell a record of a
 * newer one (answer 503, keep it) from one that is broken (no session). Format 2 adds bindings, verified claims and demands; what has
 * none of them is still written in format 1, so that nodes of both versions can work side by side. Facts know format 1 only.
 */
const formats = [1, 2] as const
type Format = (typeof formats)[number]

/** A stored session, opened. */
export type OpenedRecord =
  /** `stale`: sealed under an older secret, so to be sealed again, with its facts, at the next replace. */
  | { readonly kind: 'record'; readonly record: SessionRecord; readonly stale: boolean }
  /** Another secret, issuer or client, corrupted, or of an unknown older format: no session. */
  | { readonly kind: 'none' }
  /** Written by a newer version of the gateway: `session_store_unavailable`, never "no session". */
  | { readonly kind: 'newer' }

/** What {@link createRecordSeal} needs. */
export interface RecordSealOptions {
  readonly sealer: Sealer
  /** A record of another issuer or client does not open. */
  readonly issuer: string
  readonly clientId: string
}

/** Turns records and facts into sealed bytes and back. */
export interface RecordSeal {
  /** Seals a record under a key that takes both the session id and `SESSION_SECRET`. */
  seal(id: string, h: string, writeId: string, record: SessionRecord): Buffer
  /** Opens a row's record; never throws, whatever the row holds. */
  open(id: string, h: string, row: Pick<SessionRow, 'sealedRecord' | 'writeId'>): OpenedRecord
  /** Seals facts under `SESSION_SECRET` alone. */
  sealFacts(h: string, facts: SessionFacts): Buffer
  /** Opens facts; `undefined` when they are not ours, broken or of another format. */
  openFacts(h: string, sealedFacts: Buffer): SessionFacts | undefined
}

const none: OpenedRecord = { kind: 'none' }
const newer: OpenedRecord = { kind: 'newer' }

function isFormat(format: number | undefined): format is Format {
  return format === 1 || format === 2
}

/** Makes the seal of session records for one issuer and client. */
export function createRecordSeal({ sealer, issuer, clientId }: RecordSealOptions): RecordSeal {
  // JSON escapes line breaks and `h` has one length, so no two different bindings make the same text.
  const prefixes = {
    1: `${JSON.stringify([1, issuer, clientId])}\n`,
    2: `${JSON.stringify([2, issuer, clientId])}\n`,
  } as const
  const recordContext = (format: Format, h: string, writeId: string): string =>
    `${prefixes[format]}${h}\n${writeId}`
  return {
    seal(id, h, writeId, record) {
      const format = needsFormat2(record) ? 2 : 1
      const bytes = encodeRecord(record)
      return withFormat(format, sealer.sealFor(id, 'record', recordContext(format, h, writeId), bytes))
    },
    open(id, h, { sealedRecord, writeId }) {
      const format = sealedRecord[0]
      if (!isFormat(format)) return format !== undefined && format > formats.length ? newer : none
      const context = recordContext(format, h, writeId)
      return toOpened(sealer.openFor(id, 'record', context, sealedRecord.subarray(1)))
    },
    sealFacts: (h, facts) => withFormat(1, sealer.seal('facts', `${prefixes[1]}${h}`, encodeFacts(facts))),
    openFacts(h, sealedFacts) {
      if (sealedFacts[0] !== 1) return undefined
      const opened = sealer.open('facts', `${prefixes[1]}${h}`, sealedFacts.subarray(1))
      return opened === undefined ? undefined : decodeFacts(opened.bytes)
    },
  }
}

function withFormat(format: Format, envelope: Buffer): Buffer {
  return Buffer.concat([Buffer.of(format), envelope])
}

function toOpened(opened: Opened | undefined): OpenedRecord {
  const record = opened === undefined ? undefined : decodeRecord(opened.bytes)
  if (opened === undefined || record === undefined) return none
  return { kind: 'record', record, stale: opened.stale }
}
