import { pino } from 'pino'
import type { Logger } from '../telemetry.ts'

/** What became of a request, as the log says it. Nothing here comes from a body, a query or a credential. */
export interface RequestOutcome {
  readonly requestId: string
  readonly method: string
  readonly path: string
  readonly status: number
  readonly milliseconds: number
  /** False: the browser left, or the answer broke off. */
  readonly complete: boolean
  readonly sessionRef: string | undefined
  readonly userRef: string | undefined
  readonly traceId: string | undefined
}

/** What pino keeps under its public symbols; its type for loggers does not say so. */
interface Internals {
  readonly [pino.symbols.streamSym]: { write(line: string): void }
  readonly [pino.symbols.chindingsSym]: string
}

/**
 * Writes the one line of a request. It is the only line that is written for every request, so it is put together here, field by field, as
 * the logger would write it: the logger's general way costs fourteen times as much. What is bound to the logger stands in it too.
 */
export function createRequestLine(log: Logger): (outcome: RequestOutcome) => void {
  // Every logger here is one of pino, whose type does not name the symbols.
  const { [pino.symbols.streamSym]: stream, [pino.symbols.chindingsSym]: bindings } =
    log as unknown as Internals
  const now = createIsoClock()
  return (outcome) => {
    stream.write(
      `{"level":"info","time":"${now()}"${bindings},"requestId":${JSON.stringify(outcome.requestId)}` +
        `,"method":${JSON.stringify(outcome.method)},"path":${JSON.stringify(outcome.path)}` +
        `,"status":${outcome.status},"milliseconds":${outcome.milliseconds},"complete":${outcome.complete}` +
        `${field('sessionRef', outcome.sessionRef)}${field('userRef', outcome.userRef)}` +
        `${field('traceId', outcome.traceId)},"msg":"request"}\n`,
    )
  }
}

/** References and trace ids are base64url or hexadecimal. */
function field(name: string, value: string | undefined): string {
  return value === undefined ? '' : `,"${name}":"${value}"`
}

/** The time of day as ISO text; most lines of a busy process share their millisecond with the one before. */
function createIsoClock(): () => string {
  let atMs = Number.NaN
  let text = ''
  return () => {
    const nowMs = Date.now()
    if (nowMs !== atMs) {
      atMs = nowMs
      text = new Date(nowMs).toISOString()
    }
    return text
  }
}
