import { expect } from 'vitest'
import { newWriteId } from '../../../../src/session/record/keys.ts'
import type { SessionRow, SessionStore } from '../../../../src/session/store/contract.ts'
import { eventually } from '../../../support/eventually.ts'

/** What a replace writes. */
export const nextOf = (text: string): Pick<SessionRow, 'sealedRecord' | 'writeId'> => ({
  sealedRecord: Buffer.from(text),
  writeId: newWriteId(),
})

/** The whole of a small index. */
export const everything = { offset: 0, count: 1_000 }

/** Waits until a session is over. */
export const gone = (store: SessionStore, h: string): Promise<void> =>
  eventually(async () => expect(await store.read(h)).toBeUndefined())
