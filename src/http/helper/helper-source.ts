import { readdirSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { linkModules } from './link-modules.ts'

/** Beside this folder, compiled or not. */
const clientFolder = join(import.meta.dirname, '..', '..', 'client')

/** `coatcheck/client` as one ES module. */
export function readBrowserHelper(): string {
  const names = readdirSync(clientFolder).filter((name) => /^[\w-]+\.[jt]s$/.test(name))
  const texts = names.map((name): [string, string] => [
    `./${name.replace(/\.ts$/, '.js')}`,
    readScript(join(clientFolder, name)),
  ])
  return linkModules(new Map(texts), './client.js')
}

/** Sources that run uncompiled lose their types here, and the spaces that these leave behind. */
function readScript(path: string): string {
  const text = readFileSync(path, 'utf8')
  if (!path.endsWith('.ts')) return text
  return stripTypeScriptTypes(text)
    .replaceAll(/^(import|export) \{[^}]*\}/gm, (list) => list.replaceAll(/\s+/g, ' '))
    .replaceAll(/(from '\.\/[\w-]+)\.ts'/g, "$1.js'")
    .replaceAll(/[ \t]+$/gm, '')
    .replaceAll(/\n{2,}/g, '\n')
}
