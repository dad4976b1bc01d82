import type { Server } from 'node:http'
import type { FastifyInstance, FastifyListenOptions } from 'fastify'
import { createRefusal } from '../http/answers/refusals.ts'
import { hurryClosing } from '../http/lifetime/closing.ts'
import { createListenerServer, type ListenerSettings } from '../http/server/server.ts'
import { createUnroutedReport } from '../http/server/unrouted-log.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { answerQuestions, type CheckListenerOptions } from './listener.ts'
import type { Question } from './question.ts'

/** What the settings say; the process's fit. */
export interface AttachedChecksOptions extends CheckListenerOptions, ListenerSettings {
  /** `undefined`: there is no such listener. */
  readonly forwardAuthPort: number | undefined
  /** Seconds. */
  readonly shutdownGrace: number
}

/** The listener of a process, or what stands for one that has none. */
export interface AttachedChecks {
  /** Its answers are the last on their connections from now on. */
  beginDraining(): void
}

/**
 * Gives a process the listener on which other proxies ask: it opens before the main one, so that a port that is taken stops the start,
 * and closes with it. To be attached after everything that it needs.
 *
 * @param pass answers a question; its throws are refused
 */
export function attachChecks(
  app: FastifyInstance,
  options: AttachedChecksOptions,
  telemetry: Telemetry,
  pass: (question: Question) => void,
): AttachedChecks {
  const { forwardAuthPort: port, forwardAuthHost: host, shutdownGrace } = options
  if (port === undefined) return { beginDraining: () => undefined }
  const server = createListenerServer(options)
  const { log } = telemetry
  const listener = answerQuestions(server, options, {
    log,
    refuse: createRefusal(telemetry),
    report: createUnroutedReport(telemetry),
    pass,
  })
  let closed: Promise<void> | undefined
  app.addHook('preClose', async () => {
    const stop = hurryClosing(server, listener, shutdownGrace * 1_000)
    closed = new Promise<void>((resolve) => void server.close(() => resolve())).finally(stop)
  })
  app.addHook('onClose', () => closed ?? Promise.resolve())
  openFirst(app, () => listen(server, port, host))
  return { beginDraining: () => listener.beginDraining() }
}

/** @throws (when the app listens) the listen error of Node */
function openFirst(app: FastifyInstance, open: () => Promise<void>): void {
  const openApp: (options: FastifyListenOptions) => Promise<string> = app.listen.bind(app)
  Object.assign(app, {
    listen: async (options: FastifyListenOptions): Promise<string> => {
      await open()
      return openApp(options)
    },
  })
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host }, () => {
      server.removeListener('error', reject)
      resolve()
    })
  })
}
