import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A throw-away certificate authority with one certificate for this machine's loopback. */
export interface Certificates {
  /** PEM of the authority. */
  readonly ca: string
  readonly caFile: string
  readonly certificateFile: string
  readonly keyFile: string
  remove(): Promise<void>
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/**
 * Makes certificates with openssl, valid for a day.
 *
 * @param names subject alternative names of the server
 */
export async function makeCertificates(names = 'DNS:localhost,IP:127.0.0.1'): Promise<Certificates> {
  const folder = await mkdtemp(join(tmpdir(), 'coatcheck-ca-'))
  const file = (name: string): string => join(folder, name)
  const openssl = (...args: readonly string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  }
  const made = ['-days', '1', '-x509', ...newKey]
  openssl('req', ...made, '-subj', '/CN=test authority', '-keyout', 'ca.key', '-out', 'ca.crt')
  const issued = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-addext', `subjectAltName=${names}`]
  const plain = ['-addext', 'basicConstraints=critical,CA:FALSE']
  openssl(
    'req',
    ...made,
    ...issued,
    ...plain,
    '-subj',
    '/CN=redis',
    '-keyout',
    'redis.key',
    '-out',
    'redis.crt',
  )
  return {
    ca: await readFile(file('ca.crt'), 'utf8'),
    caFile: file('ca.crt'),
    certificateFile: file('redis.crt'),
    keyFile: file('redis.key'),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
