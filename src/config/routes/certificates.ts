import { resolve } from 'node:path'
import { type ConfigFiles, tryToRead } from '../environment.ts'
import { certificatePem, privateKeyPem } from '../settings/kinds/secret.ts'
import { type Parser, ValueFault } from '../settings/setting.ts'
import type { DocumentPath, DocumentPlace } from '../yaml/source.ts'
import type { RouteTls } from './route.ts'
import type { WrittenRoute } from './schema.ts'

/**
 * Reads the certificates of routes, collecting in `places` what is wrong with them.
 *
 * @param folder that relative file names start from
 */
export function certificateReader(folder: string, files: ConfigFiles) {
  const places: DocumentPlace[] = []
  function read(file: string | undefined, path: DocumentPath, parse: Parser<string>): string | undefined {
    if (file === undefined) return undefined
    const text = tryToRead(resolve(folder, file), files)
    if (text === undefined) {
      places.push({ path, problem: 'names a file that cannot be read' })
      return undefined
    }
    try {
      return parse(text.trim())
    } catch (error) {
      if (!(error instanceof ValueFault)) throw error
      places.push({ path, problem: `names a file that ${error.message}` })
      return undefined
    }
  }
  function of(route: WrittenRoute, index: number): RouteTls | undefined {
    if (route.tls === undefined) return undefined
    const at = (name: string): DocumentPath => ['routes', index, 'tls', name]
    return {
      caPem: read(route.tls.caFile, at('caFile'), certificatePem),
      certPem: read(route.tls.certificateFile, at('certificateFile'), certificatePem),
      keyPem: read(route.tls.keyFile, at('keyFile'), privateKeyPem),
    }
  }
  return { of, places }
}
