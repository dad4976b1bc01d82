import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { createDpopKey } from '../../src/signing/dpop-key.ts'
import { createDpopProof } from '../../src/signing/dpop-proof.ts'
import { sha256 } from '../../src/signing/thumbprints.ts'

const page = readFileSync(fileURLToPath(new URL('../../docs/api.md', import.meta.url)), 'utf8')
const [, example = ''] = /```python\n(import base64\n.*?)```/s.exec(page) ?? []
/** Judges each line of what it reads: "taken", or why not. */
const judging = `${example}
import sys
for line in sys.stdin:
    try:
        expect_proof(**json.loads(line))
        print("taken")
    except jwt.PyJWTError as error:
        print(type(error).__name__, error)
`

const token = 'an.access.token'
const key = createDpopKey()
const url = 'https://api.example.com/v1/orders'
const claims = { sub: 'ada', cnf: { jkt: key.thumbprint } }

function proof(changes: { method?: string; url?: string; token?: string; ageMs?: number } = {}): string {
  const target = {
    method: changes.method ?? 'GET',
    url: changes.url ?? url,
    accessTokenHash: sha256(changes.token ?? token),
    nonce: undefined,
  }
  return createDpopProof(key, target, Date.now() - (changes.ageMs ?? 0))
}

it('the proof check of docs/api.md in Python takes our proofs, and refuses what is none for this request', () => {
  const asked = { method: 'GET', url: `${url}?page=2`, authorization: `DPoP ${token}`, claims }
  const [head, body] = proof().split('.')
  const once = proof()
  const cases = [
    [{ proofs: [once] }, 'taken'],
    [{ proofs: [once] }, 'used before'],
    [{ proofs: [proof()], authorization: `Bearer ${token}` }, 'the scheme DPoP'],
    [{ proofs: [] }, 'one proof'],
    [{ proofs: [proof(), proof()] }, 'one proof'],
    [{ proofs: ['no.proof'] }, 'DecodeError'],
    [{ proofs: [`${head}.${body}.${proof().split('.')[2]}`] }, 'Signature'],
    [{ proofs: [proof({ method: 'PUT' })] }, 'another request'],
    [{ proofs: [proof({ url: `${url}/7` })] }, 'another request'],
    [{ proofs: [proof({ token: 'another' })] }, 'another token'],
    [{ proofs: [proof({ ageMs: 90_000 })] }, 'too old'],
    [{ proofs: [proof({ ageMs: -90_000 })] }, 'ImmatureSignatureError'],
    [{ proofs: [proof()], claims: { cnf: { jkt: createDpopKey().thumbprint } } }, 'another key'],
    [{ proofs: [proof()], claims: {} }, 'another key'],
  ] as const
  const input = cases.map(([changes]) => `${JSON.stringify({ ...asked, ...changes })}\n`).join('')
  const said = execFileSync('/usr/bin/python3', ['-c', judging], { input, encoding: 'utf8' })
  expect(said.trim().split('\n')).toEqual(cases.map(([, right]) => expect.stringContaining(right)))
})
