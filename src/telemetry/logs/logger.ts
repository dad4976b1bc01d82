import { type DestinationStream, pino } from 'pino'
import { onDemand } from '../../basics/on-demand.ts'
import type { Logger } from '../telemetry.ts'
import { createBlockStream } from './log-stream.ts'
import { redact } from './redaction.ts'

const prettyPrinter = onDemand<typeof import('pino-pretty')>('pino-pretty')

/** How the log is written. */
export interface LoggerOptions {
  /** `fatal` … `trace`, or `silent`. */
  readonly logLevel: string
  /** `json` for machines, `pretty` for a person at a terminal. */
  readonly logFormat: 'json' | 'pretty'
}

/**
 * What is left of an error in the log: its kind, its stable code and where it came from. Messages of foreign errors stay, their
 * causes do not: those of the OpenID library carry tokens and claims.
 */
function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: typeof error }
  const code: unknown = Reflect.get(error, 'code')
  return {
    type: error.name,
    message: error.message,
    ...(typeof code === 'string' ? { errorCode: code } : {}),
    stack: error.stack,
  }
}

/**
 * Creates the logger.
 *
 * @param destination where lines go; standard output unless told otherwise
 */
export function createLogger(options: LoggerOptions, destination?: DestinationStream): Logger {
  const stream =
    options.logFormat === 'pretty' ? prettyStream(destination) : (destination ?? createBlockStream())
  const settings = {
    level: options.logLevel,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }), log: redact },
    serializers: { err: describeError, error: describeError },
  }
  return pino(settings, stream)
}

function prettyStream(destination: DestinationStream | undefined): DestinationStream {
  return prettyPrinter().build({
    sync: true,
    translateTime: 'SYS:HH:MM:ss',
    ...(destination === undefined ? {} : { destination }),
  })
}

/** Writes the lines that still wait; to be called before the process is made to exit. */
export function flushLog(log: Logger): void {
  if ('flush' in log && typeof log.flush === 'function') log.flush()
}

/** A logger that writes nothing: for tests, and for commands that say themselves what is wrong. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' })
}
