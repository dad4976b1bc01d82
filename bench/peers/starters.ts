import { otherCliPath } from './cli.ts'
import { coatcheckAsked, coatcheckForBearers, coatcheckWith } from './coatcheck.ts'
import type { StartGateway } from './gateway.ts'
import { hasNginx, startBare, startExpress, startNaive, startNginx } from './others.ts'

/** Gateways by the name that the command line knows them by. */
export type Starters = Readonly<Record<string, StartGateway>>

/** Those that are compared; bare first: the ratios are to it. */
export const peers: Starters = {
  bare: startBare,
  naive: startNaive,
  express: startExpress,
  ...(hasNginx && { nginx: startNginx }),
  on: coatcheckWith('Coatcheck, cache on', {}),
  logs: coatcheckWith('Coatcheck, request log on', { LOG_LEVEL: 'info' }),
  off: coatcheckWith('Coatcheck, cache off', { SESSION_CACHE: 'off' }),
  ...(otherCliPath !== undefined && { other: coatcheckWith('Coatcheck, the other tree', {}, otherCliPath) }),
}

/** Node's option that loads what signs. */
const signsEach = `--import ${new URL('../arena/sign-each-request.ts', import.meta.url)}`

/** The session middleware of this one sees no upgrade, so it has no WebSockets that would know a session. */
export const withoutSockets: readonly string[] = ['express']

/** What each thing costs that can be turned on; the first is the base. Traces go to the API, which takes whatever it is sent. */
export function variants(upstreamUrl: string, adminPort: number): Starters {
  return {
    plain: coatcheckWith('as compared above', {}),
    limits: coatcheckWith('limits by address and session (the default)', { RATE_LIMIT: 'on' }),
    metrics: coatcheckWith('metrics', { ADMIN_PORT: `${adminPort}` }),
    logs: coatcheckWith('a log line for each request (the default)', { LOG_LEVEL: 'info' }),
    traces: coatcheckWith('traces', { OTEL_EXPORTER_OTLP_ENDPOINT: upstreamUrl }),
    signed: coatcheckWith('one ES256 signature for each request, thrown away', { NODE_OPTIONS: signsEach }),
    dpop: coatcheckWith('tokens bound to the session’s key (DPoP)', { TOKEN_BINDING: 'dpop' }),
    bearer: coatcheckForBearers('callers with tokens of their own, each verified once'),
    secure: coatcheckWith('behind TLS: longer names of cookies', { DEVICE_BINDING: 'off' }),
    device: coatcheckWith('the same, sessions bound to a device', { DEVICE_BINDING: 'auto' }),
    workers: coatcheckWith('two processes on the same core', { WORKERS: '2' }),
  }
}

/** Forward-auth; bare carries the request itself, which the answer to a question is held against. */
export const askers: Starters = {
  bare: startBare,
  check: coatcheckAsked('Coatcheck, /check', {}),
  checkLogs: coatcheckAsked('Coatcheck, /check, a log line for each', { LOG_LEVEL: 'info' }),
}
