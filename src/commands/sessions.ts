import { Writable } from 'node:stream'
import { GatewayError } from '../errors/gateway-error.ts'
import type {
  OperatorSession,
  OperatorSessions,
  SessionSelection,
} from '../session/lifecycle/listing/operator.ts'
import { type Audit, createAudit } from '../telemetry/audit.ts'
import { createLogger } from '../telemetry/logs/logger.ts'
import { chosenConfig, takeFrontend } from './chosen-config.ts'
import { type CommandContext, CommandError, UsageError } from './command.ts'
import { openSessions } from './open-sessions.ts'
import { readArguments } from './read-arguments.ts'

interface Asked {
  readonly action: 'list' | 'revoke'
  readonly selection: SessionSelection
  readonly isJson: boolean
}

const usage = 'coatcheck sessions list | revoke, with one of --sub, --sid, --ref, --user-ref, --all'

/**
 * `coatcheck sessions`: lists or ends sessions in Redis, for the operator. With the settings of the gateway, its secrets included.
 *
 * @throws UsageError, ConfigError, CommandError
 */
export async function run(context: CommandContext): Promise<number> {
  const { frontend, rest } = takeFrontend(context.arguments)
  const asked = readAsked(rest)
  const config = chosenConfig(context.env, frontend)
  const audit = auditTo(context, config.frontend)
  const opened = await openSessions(config, (sessionRef) =>
    audit.event('session.ended', { sessionRef, cause: 'operator' }),
  )
  try {
    if (asked.action === 'list') await list(opened.sessions, asked, context)
    else await revoke(opened.sessions, asked, context)
    return 0
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    throw new CommandError(`${String(error.context.reason ?? 'Redis does not answer')}; see REDIS_URL`)
  } finally {
    await opened.close()
  }
}

/** The nodes hear of an end by an operator, but not who it was: what is to be known of it is written here, on standard error. */
function auditTo({ complain }: CommandContext, frontend: string | undefined): Audit {
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      complain(chunk.toString().trimEnd())
      done()
    },
  })
  const log = createLogger({ logLevel: 'info', logFormat: 'json' }, destination)
  return createAudit(frontend === undefined ? log : log.child({ frontend }))
}

function readAsked(untrustedArguments: readonly string[]): Asked {
  const { values, positionals } = readArguments(untrustedArguments, { options, allowPositionals: true })
  const [action, ...rest] = positionals
  if ((action !== 'list' && action !== 'revoke') || rest.length > 0) throw new UsageError(`usage: ${usage}`)
  const selections = selectionsOf(values)
  // Listing everything is harmless, ending everything wants to be said.
  if (selections.length === 0 && action === 'list') selections.push({ kind: 'all' })
  const [selection, second] = selections
  if (selection === undefined || second !== undefined) {
    throw new UsageError(`${action} needs exactly one of --sub, --sid, --ref, --user-ref, --all`)
  }
  return { action, selection, isJson: values.json === true }
}

const options = {
  sub: { type: 'string' },
  sid: { type: 'string' },
  ref: { type: 'string' },
  'user-ref': { type: 'string' },
  all: { type: 'boolean' },
  json: { type: 'boolean' },
} as const

interface Chosen {
  readonly sub?: string | undefined
  readonly sid?: string | undefined
  readonly ref?: string | undefined
  readonly 'user-ref'?: string | undefined
  readonly all?: boolean | undefined
}

function selectionsOf({ sub, sid, ref, 'user-ref': userRef, all }: Chosen): SessionSelection[] {
  const selections: SessionSelection[] = []
  if (sub !== undefined) selections.push({ kind: 'subject', subject: sub })
  if (sid !== undefined) selections.push({ kind: 'provider-session', providerSessionId: sid })
  if (ref !== undefined) selections.push({ kind: 'reference', sessionRef: ref })
  if (userRef !== undefined) selections.push({ kind: 'user-reference', userRef })
  if (all === true) selections.push({ kind: 'all' })
  return selections
}

async function list(sessions: OperatorSessions, asked: Asked, context: CommandContext): Promise<void> {
  if (!asked.isJson) context.print(tableRow(['SESSION', 'BROWSER', 'SIGNED IN', 'LAST USED', 'ENDS']))
  for await (const batch of sessions.list(asked.selection)) {
    for (const session of batch) {
      const shown = show(session)
      context.print(asked.isJson ? JSON.stringify(shown) : tableRow(Object.values(shown)))
    }
  }
}

/** Times are RFC 3339 in UTC, whole seconds. */
function show(session: OperatorSession) {
  const time = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
  return {
    ref: session.sessionRef,
    browser: session.browserFamily,
    createdAt: time(session.createdAtMs),
    lastUsedAt: time(session.lastSeenAtMs),
    endsAt: time(session.endsAtMs),
  }
}

const columnWidths = [16, 10, 20, 20, 0]

function tableRow(cells: readonly string[]): string {
  return cells
    .map((cell, at) => cell.padEnd(columnWidths[at] ?? 0))
    .join('  ')
    .trimEnd()
}

async function revoke(sessions: OperatorSessions, asked: Asked, context: CommandContext): Promise<void> {
  const { ended, foreign } = await sessions.revoke(asked.selection)
  if (asked.isJson) context.print(JSON.stringify({ ended, foreign }))
  else context.print(`${ended} ${ended === 1 ? 'session' : 'sessions'} ended`)
  if (foreign > 0) {
    context.complain(
      `coatcheck: ${foreign} entries in this Redis are of another client, issuer or SESSION_SECRET and were left alone`,
    )
  }
}
