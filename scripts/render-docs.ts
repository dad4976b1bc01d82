import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { frontendsFileJsonSchema } from '../src/config/frontends/schema.ts'
import { routesFileJsonSchema } from '../src/config/routes/schema.ts'
import { renderConfigurationPage, renderEnvExample } from './render-settings.ts'
import { renderAuditPage, renderMetricsPage } from './render-telemetry.ts'

/** Everything that is rendered from tables in the sources, by path from the project's root. */
export function renderDocuments(): Readonly<Record<string, string>> {
  const schema = routesFileJsonSchema()
  return {
    '.env.example': renderEnvExample(),
    'docs/audit-events.md': renderAuditPage(),
    'docs/configuration.md': renderConfigurationPage(schema),
    'docs/frontends-file.schema.json': `${JSON.stringify(frontendsFileJsonSchema(), undefined, 2)}\n`,
    'docs/metrics.md': renderMetricsPage(),
    'docs/routes-file.schema.json': `${JSON.stringify(schema, undefined, 2)}\n`,
  }
}

const root = new URL('../', import.meta.url)

function readOrNothing(path: string): string {
  try {
    return readFileSync(new URL(path, root), 'utf8')
  } catch {
    return ''
  }
}

/** Names the rendered documents that are not what the sources say. */
function findStale(documents: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(documents).flatMap(([path, content]) =>
    readOrNothing(path) === content ? [] : [path],
  )
}

function main(isCheck: boolean): void {
  const documents = renderDocuments()
  const stale = findStale(documents)
  if (isCheck) {
    for (const path of stale) console.error(`${path} is out of date: npm run docs`)
    process.exitCode = stale.length === 0 ? 0 : 1
    return
  }
  mkdirSync(new URL('docs/', root), { recursive: true })
  for (const path of stale) {
    writeFileSync(new URL(path, root), documents[path] ?? '')
    console.log(`wrote ${path}`)
  }
}

if (import.meta.main) main(process.argv.includes('--check'))
