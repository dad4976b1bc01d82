import { describe, expect, it } from 'vitest'
import { createSealer } from '../../../src/sealing/sealer.ts'
import { hashSessionId } from '../../../src/session/record/keys.ts'
import { createRecordSeal } from '../../../src/session/record/record.ts'

/** Recorded from revision cb08ce0, the last one that knew format 1 only. */
const recorded = {
  id: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE',
  writeId: 'first-version-write-id',
  record:
    'AUwRHJ8McfRswju5zQC4JV67ErDJ98OYLu36OYvL09wHt_oN46L20HuD5lC3ThlBNJT3wT7WoLWbjOVzKbrhVsb2r-Y1qYTVX8CxGEpkyiK4Y7tydbe8pcWfx3Wz5CUMsJTBNu3m6N6vcdqr8dpl4doEcGTYx6Ckk8hVu5WXvgTnH4rCPS6MYcr5wSdmqHhK0_37rbo8uAj-5nCp7VVlwq-hlu0Q35X-YQi1I1r0E5bg9q6ml1gIqyOcE1yZ9SKBBpso6VImnuF8fw0Vly4Nabz0PBlMjOZqvKBp49XoTxLpU_n8mifiHR3lGBdMKng0UsSvKj939Rsi_1E30-ZBpkG4tl81IdjOPtp1AIcEXleTS_RPlqYEU53K6tmNAw-_18icxJTo1-aBwVffaHr8SYIkkgqag0ZQKPcAQRX9',
  facts:
    'AUwRHJ9vT2otnEOYmzt-DzgR9hvCGFXOtnEwx2gUA8dpf_N36LZ5GQrUNZdD49SfmtY26xcLp2YoFRpNRdQylT1lIOvLYCqDQ_QTG73eQiLny-xWfvQaltgPp2Ki6AuNi7c',
}

describe('a session that the first version wrote', () => {
  const sealer = createSealer(['first-secret-0123456789abcdefghijklmnop'])
  const seal = createRecordSeal({ sealer, issuer: 'https://tenant.example/', clientId: 'client' })
  const h = hashSessionId(recorded.id)

  it('is read, its facts too', () => {
    const sealedRecord = Buffer.from(recorded.record, 'base64url')
    expect(seal.open(recorded.id, h, { sealedRecord, writeId: recorded.writeId })).toMatchObject({
      kind: 'record',
      record: {
        endsAtMs: 1_795_036_000_000,
        identity: { subject: 'ada' },
        tokens: { idToken: 'aWQ.dG9rZW4.c2ln', refreshToken: 'v1.cmVmcmVzaA' },
      },
    })
    expect(seal.openFacts(h, Buffer.from(recorded.facts, 'base64url'))).toMatchObject({
      subjectIndex: 'coatcheck:by-sub:x',
    })
  })
})
