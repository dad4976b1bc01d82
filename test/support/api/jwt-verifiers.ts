import { execFile, execFileSync } from 'node:child_process'
import { createPublicKey, type JsonWebKey, verify } from 'node:crypto'
import { promisify } from 'node:util'

/** Whether a JWT was signed with ES256 by a key of this JWK Set. */
export type JwtVerifier = (token: string, jwks: string) => boolean

/** With `node:crypto` and nothing else. */
export const verifyByHand: JwtVerifier = (token, jwks) => {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const { alg, typ, kid } = JSON.parse(Buffer.from(header, 'base64url').toString())
  const { keys } = JSON.parse(jwks) as { keys: (JsonWebKey & { kid: string; alg: string; use: string })[] }
  const key = keys.find((one) => one.kid === kid)
  if (alg !== 'ES256' || typ !== 'at+jwt' || key?.alg !== 'ES256' || key.use !== 'sig') return false
  return verify(
    'sha256',
    Buffer.from(`${header}.${payload}`),
    { key: createPublicKey({ key, format: 'jwk' }), dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  )
}

const script = `
import base64, json, sys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

def raw(text):
    return base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))

def number(text):
    return int.from_bytes(raw(text), 'big')

given = json.load(sys.stdin)
signed, signature = given['token'].rsplit('.', 1)
header = json.loads(raw(signed.split('.')[0]))
key = next(one for one in json.loads(given['jwks'])['keys'] if one['kid'] == header['kid'])
assert header['alg'] == 'ES256' and key['kty'] == 'EC' and key['crv'] == 'P-256' and 'd' not in key
public = ec.EllipticCurvePublicNumbers(number(key['x']), number(key['y']), ec.SECP256R1()).public_key()
bytes_ = raw(signature)
assert len(bytes_) == 64
der = utils.encode_dss_signature(int.from_bytes(bytes_[:32], 'big'), int.from_bytes(bytes_[32:], 'big'))
try:
    public.verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))
    print('good')
except InvalidSignature:
    print('bad')
`

/** With Python's `cryptography`. */
export const verifyInPython: JwtVerifier = (token, jwks) => {
  const input = JSON.stringify({ token, jwks })
  return execFileSync('python3', ['-c', script], { input, encoding: 'utf8' }).trim() === 'good'
}

/** Libraries of the distribution's own Python, which an API in Python would use. */
export type PythonLibrary = 'PyJWT' | 'Authlib'

const metadataFirst = `
import json, sys, urllib.request
given = json.load(sys.stdin)
issuer, audience, token = given['issuer'], given['audience'], given['token']
def read(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)
metadata = read(issuer + '/.well-known/openid-configuration')
assert metadata['issuer'] == issuer
`

const byLibrary: Readonly<Record<PythonLibrary, string>> = {
  PyJWT: `
import jwt
key = jwt.PyJWKClient(metadata['jwks_uri']).get_signing_key_from_jwt(token).key
needed = {'require': ['exp', 'iat', 'sub', 'iss', 'aud']}
claims = jwt.decode(token, key, algorithms=['ES256'], audience=audience, issuer=issuer, options=needed)
`,
  Authlib: `
from authlib.jose import JsonWebKey, JsonWebToken
keys = JsonWebKey.import_key_set(read(metadata['jwks_uri']))
wanted = {'iss': {'essential': True, 'value': issuer}, 'aud': {'essential': True, 'value': audience}, 'exp': {'essential': True}}
claims = JsonWebToken(['ES256']).decode(token, keys, claims_options=wanted)
claims.validate()
`,
}

/**
 * Verifies a token as an API in Python would that was told the issuer and the audience, and nothing else: resolves to its claims.
 *
 * @throws Error with what the library says
 */
export async function verifyByMetadata(
  library: PythonLibrary,
  given: { readonly issuer: string; readonly audience: string; readonly token: string },
): Promise<Readonly<Record<string, unknown>>> {
  const script = `${metadataFirst}${byLibrary[library]}print(json.dumps(dict(claims)))`
  const running = promisify(execFile)('/usr/bin/python3', ['-c', script], { env: { no_proxy: '*' } })
  running.child.stdin?.end(JSON.stringify(given))
  return JSON.parse((await running).stdout) as Record<string, unknown>
}

/** Another payload under the same signature. */
export function tampered(token: string): string {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const other = Buffer.from(JSON.stringify({ ...claims, sub: 'root' })).toString('base64url')
  return `${header}.${other}.${signature}`
}
