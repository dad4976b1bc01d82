import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { z } from 'zod'

interface Reference {
  readonly $ref?: string
}

interface MediaType {
  readonly schema?: object
}

interface DocumentedResponse extends Reference {
  readonly description: string
  readonly headers?: Readonly<Record<string, object>>
  readonly content?: Readonly<Record<string, MediaType>>
}

interface Operation {
  readonly operationId: string
  readonly responses: Readonly<Record<string, DocumentedResponse>>
}

interface OpenApi {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: {
    readonly responses: Readonly<Record<string, DocumentedResponse>>
    readonly schemas: Readonly<Record<string, object>>
  }
}

const methods = ['get', 'head', 'post', 'delete']

/** `docs/openapi.yaml`. */
export const openApi = parse(
  readFileSync(new URL('../../docs/openapi.yaml', import.meta.url), 'utf8'),
) as OpenApi

/** One status of one operation, as it is documented. */
export interface Documented {
  readonly method: string
  readonly path: string
  readonly status: string
  readonly description: string
  /** Problem codes that the description names. */
  readonly codes: readonly string[]
  readonly headers: readonly string[]
  readonly content: Readonly<Record<string, MediaType>>
}

/** Everything that is documented, flat. */
export function documented(): readonly Documented[] {
  return Object.entries(openApi.paths).flatMap(([path, operations]) =>
    Object.entries(operations)
      .filter(([method]) => methods.includes(method))
      .flatMap(([method, { responses }]) =>
        Object.entries(responses).map(([status, response]) =>
          describeResponse(method, path, status, response),
        ),
      ),
  )
}

function describeResponse(
  method: string,
  path: string,
  status: string,
  response: DocumentedResponse,
): Documented {
  const name = response.$ref?.split('/').at(-1)
  const shared = name === undefined ? undefined : openApi.components.responses[name]
  const isProblem = shared?.content?.['application/problem+json'] !== undefined
  return {
    method: method.toUpperCase(),
    path,
    status,
    description: response.description,
    codes: isProblem ? [...response.description.matchAll(/`(\w+)`/g)].map(([, code]) => code ?? '') : [],
    headers: Object.keys({ ...shared?.headers, ...response.headers }).map((header) => header.toLowerCase()),
    content: { ...shared?.content, ...response.content },
  }
}

/** What is wrong with a body in view of a documented schema; `undefined`: nothing. */
export function schemaFault(schema: object, body: unknown): string | undefined {
  const whole = { ...rebase(schema), $defs: rebase(openApi.components.schemas) }
  const result = z.fromJSONSchema(whole as Parameters<typeof z.fromJSONSchema>[0]).safeParse(body)
  return result.success ? undefined : z.prettifyError(result.error)
}

/** References into the document become references into the schema. */
function rebase(schema: object): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('#/components/schemas/', '#/$defs/'))
}
