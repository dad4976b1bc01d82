import type { FastifyReply, FastifyRequest } from 'fastify'

/** An `onRequest` hook for endpoints whose answers are about one person at one moment. */
export function forbidStoring(_request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  reply.header('cache-control', 'no-store')
  done()
}
