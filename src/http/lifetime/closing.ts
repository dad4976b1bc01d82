import type { Server } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { OwnedListener } from './listener.ts'

/** How often connections that fell idle are closed while the listener closes, milliseconds. */
const idleCheckMs = 50

/** A connection that was opened near the end may still bring its first request for so long, milliseconds. */
const firstRequestMs = 500

/**
 * Takes care that closing `app` ends: Node waits for every open connection, also for one on which nothing was ever sent, and for one
 * that stays open after its answer.
 *
 * @param graceMs requests under way when closing begins are cut off after this
 */
export function closeWithin(app: FastifyInstance, listener: OwnedListener, graceMs: number): void {
  let stop: (() => void) | undefined
  app.addHook('preClose', async () => {
    stop = hurryClosing(app.server, listener, graceMs)
  })
  app.addHook('onClose', async () => stop?.())
}

/**
 * Sees a server that is being closed to its end: answers are the last on their connections, idle ones are closed, and after a while all.
 *
 * @returns what gives up on that
 */
export function hurryClosing(server: Server, listener: OwnedListener, graceMs: number): () => void {
  listener.beginDraining()
  const timers = [
    setInterval(() => closeIdle(server, listener), idleCheckMs),
    setTimeout(() => cutAll(listener), graceMs),
  ]
  return () => {
    for (const timer of timers) clearTimeout(timer)
  }
}

function closeIdle(server: Server, { connections }: OwnedListener): void {
  server.closeIdleConnections()
  const openedBeforeMs = performance.now() - firstRequestMs
  for (const connection of connections) {
    if (!connection.isUsed && connection.openedAtMs < openedBeforeMs) connection.destroy()
  }
}

function cutAll({ connections }: OwnedListener): void {
  for (const connection of [...connections]) connection.destroy()
}
