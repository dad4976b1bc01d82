import type { FastifyInstance } from 'fastify'

/** A document that anybody may read and keep for a while. */
export interface PublicDocument {
  readonly path: string
  /** `application/json` unless told otherwise. */
  readonly type?: string
  readonly content: () => Readonly<Record<string, unknown>>
}

/** Five minutes: how long a new key has to be published before it signs. */
const cacheControl = 'public, max-age=300'

/** Serves documents of JSON under fixed paths: metadata and public keys. No cookie is read, and nothing is asked. */
export function registerPublicDocuments(app: FastifyInstance, documents: readonly PublicDocument[]): void {
  for (const { path, type = 'application/json; charset=utf-8', content } of documents) {
    app.route({
      method: ['GET', 'HEAD'],
      url: path,
      handler: (_request, reply) =>
        reply
          .header('content-type', type)
          .header('cache-control', cacheControl)
          .send(JSON.stringify(content())),
    })
  }
}
