import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createDpopKey } from '../../src/signing/dpop-key.ts'
import { createDpopProof } from '../../src/signing/dpop-proof.ts'
import { encode, signatureOf } from '../../src/signing/jws.ts'
import { sha256 } from '../../src/signing/thumbprints.ts'

const page = readFileSync(fileURLToPath(new URL('../../docs/api.md', import.meta.url)), 'utf8')
const [, example = ''] = /```go\n(package main\n\nimport \(\n\t"crypto\/ecdh".*?)```/s.exec(page) ?? []
/** Judges each line of what it reads: "taken", or why not. */
const judging = `package main

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
)

func main() {
	proofs := &Proofs{Origin: "https://api.example.com"}
	lines := json.NewDecoder(os.Stdin)
	for {
		var asked struct {
			Method, Target, Authorization, Jkt string
			Proofs                             []string
		}
		if lines.Decode(&asked) != nil {
			return
		}
		request := httptest.NewRequest(asked.Method, asked.Target, nil)
		request.Header.Set("Authorization", asked.Authorization)
		for _, proof := range asked.Proofs {
			request.Header.Add("DPoP", proof)
		}
		if err := proofs.Expect(request, asked.Jkt); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println("taken")
		}
	}
}
`

// Left out where there is no Go, or one older than 1.20, as Debian has it: that lacks `crypto/ecdh`.
const { stdout } = spawnSync('go', ['version'], { encoding: 'utf8' })
const isMissing = Number(/\bgo1\.(\d+)/.exec(stdout ?? '')?.[1] ?? 0) < 20
const buildLimitMs = 300_000

const folder = mkdtempSync(join(tmpdir(), 'coatcheck-go-'))
const program = join(folder, 'judge')
// Before there are proofs: the first time Go compiles its own library, too.
beforeAll(() => {
  if (isMissing) return
  writeFileSync(join(folder, 'go.mod'), 'module example.com/api\n\ngo 1.20\n')
  writeFileSync(join(folder, 'proofs.go'), example)
  writeFileSync(join(folder, 'main.go'), judging)
  const env = { ...process.env, GOTOOLCHAIN: 'local', GOPROXY: 'off', GOFLAGS: '', CGO_ENABLED: '0' }
  execFileSync('go', ['build', '-o', program, '.'], { cwd: folder, env })
}, buildLimitMs)
afterAll(() => rmSync(folder, { recursive: true }))

const token = 'an.access.token'
const key = createDpopKey()
const target = '/v1/a%20b/%7Ec?page=2'

interface Changes {
  readonly method?: string
  readonly url?: string
  readonly token?: string
  readonly ageMs?: number
}

function proof(changes: Changes = {}): string {
  const made = {
    method: changes.method ?? 'GET',
    url: changes.url ?? 'https://api.example.com/v1/a%20b/%7Ec',
    accessTokenHash: sha256(changes.token ?? token),
    nonce: undefined,
  }
  return createDpopProof(key, made, Date.now() - (changes.ageMs ?? 0))
}

/** A good proof with another header. */
function withHeader(header: object): string {
  const [, body] = proof().split('.')
  const known = { typ: 'dpop+jwt', alg: 'ES256', jwk: key.publicJwk }
  const input = `${encode({ ...known, ...header })}.${body}`
  return `${input}.${signatureOf(input, { privateKey: key.privateKey, algorithm: 'ES256' })}`
}

it.skipIf(isMissing)(
  'the proof check of docs/api.md in Go takes our proofs, and refuses what is none for this request',
  () => {
    const asked = { method: 'GET', target, authorization: `DPoP ${token}`, jkt: key.thumbprint }
    const [head, body] = proof().split('.')
    const once = proof()
    const { x, y } = key.publicJwk
    const cases: readonly (readonly [object, string])[] = [
      [{ proofs: [once] }, 'taken'],
      [{ proofs: [once] }, 'used before'],
      [{ proofs: [proof()], authorization: `dpop ${token}` }, 'taken'],
      [{ proofs: [proof()], authorization: `Bearer ${token}` }, 'the scheme DPoP'],
      [{ proofs: [] }, 'one proof'],
      [{ proofs: [proof(), proof()] }, 'one proof'],
      [{ proofs: [`${proof()}, ${proof()}`] }, 'no proof'],
      [{ proofs: ['no.proof'] }, 'no proof'],
      [{ proofs: [`${head}.${body}.${proof().split('.')[2]}`] }, 'signature'],
      [{ proofs: [`${head}.${body}.`] }, 'signature'],
      [{ proofs: [withHeader({ typ: 'JWT' })] }, 'no proof'],
      [{ proofs: [withHeader({ alg: 'none' })] }, 'no proof'],
      [{ proofs: [withHeader({ crit: ['x'] })] }, 'no proof'],
      [{ proofs: [withHeader({ jwk: { ...key.publicJwk, d: key.secret } })] }, 'no proof'],
      [{ proofs: [withHeader({ jwk: { ...key.publicJwk, x: y, y: x } })] }, 'signature'],
      [{ proofs: [proof({ method: 'PUT' })] }, 'another request'],
      [{ proofs: [proof({ url: 'https://api.example.com/v1/a%20b/~c' })] }, 'another request'],
      [{ proofs: [proof({ url: 'https://evil.example.com/v1/a%20b/%7Ec' })] }, 'another request'],
      [{ proofs: [proof({ token: 'another' })] }, 'another token'],
      [{ proofs: [proof({ ageMs: 90_000 })] }, 'too old'],
      [{ proofs: [proof({ ageMs: -90_000 })] }, 'the future'],
      [{ proofs: [proof()], jkt: createDpopKey().thumbprint }, 'another key'],
      [{ proofs: [proof()], jkt: '' }, 'another key'],
    ]
    const input = cases.map(([changes]) => `${JSON.stringify({ ...asked, ...changes })}\n`).join('')
    const said = execFileSync(program, { input, encoding: 'utf8' })
    expect(said.trim().split('\n')).toEqual(cases.map(([, right]) => expect.stringContaining(right)))
  },
)
