import { ReplyError } from 'ioredis'

/** What an error of Redis means to the gateway. Nothing here names a host or repeats a command's arguments. */
export interface RedisFault {
  /** Completes the sentence "Redis …". */
  readonly reason: string
  /** Whether reads still work. */
  readonly refusesWrites: boolean
  /** Redis' own error word or the system's code, for the log. */
  readonly cause: string
  /** Whether it says only that there is no connection, not why. */
  readonly isBare: boolean
  /** Whether other commands, or those to another part of it, may work all the same. */
  readonly isPartial: boolean
  /** Whether our user lacks a right: then the key makes no difference. */
  readonly isDenied: boolean
}

interface Rule {
  readonly words: RegExp
  readonly reason: string
  readonly refusesWrites: boolean
  readonly isPartial?: true
  readonly isDenied?: true
}

/** Scripts wrap the error words of the commands that they call, so words are looked for anywhere. */
const rules: readonly Rule[] = [
  { words: /\bREADONLY\b/, reason: 'is a read-only replica', refusesWrites: true },
  { words: /\bOOM\b/, reason: 'is out of memory', refusesWrites: true },
  { words: /\bMISCONF\b/, reason: 'cannot save to disk', refusesWrites: true },
  { words: /\bNOREPLICAS\b/, reason: 'has too few replicas', refusesWrites: true },
  { words: /\bLOADING\b/, reason: 'is loading its data', refusesWrites: false },
  { words: /\bMASTERDOWN\b/, reason: 'has lost its master', refusesWrites: false },
  {
    words: /\bCLUSTERDOWN\b/,
    reason: 'has a part of its cluster down',
    refusesWrites: false,
    isPartial: true,
  },
  {
    // Only when no client of a Cluster has followed it.
    words: /^MOVED\b/,
    reason: 'is one node of a Cluster',
    refusesWrites: false,
    isPartial: true,
  },
  { words: /\bcluster support disabled\b/, reason: 'is no Cluster', refusesWrites: false },
  { words: /\bBUSY\b/, reason: 'is busy', refusesWrites: false },
  { words: /\b(NOAUTH|WRONGPASS)\b/, reason: 'refuses our password', refusesWrites: false },
  {
    // Within a script Redis has no error word for it: 6 says the one, 7 the other.
    words: /\bNOPERM\b|ACL failure in script|can't run this command/,
    reason: 'denies our user a command',
    refusesWrites: false,
    isPartial: true,
    isDenied: true,
  },
  { words: /timed out|timeout/i, reason: 'does not answer in time', refusesWrites: false },
]

/** The rule for an error, if there is one. */
function ruleOf(error: unknown): Rule | undefined {
  const text = textOf(error)
  return rules.find(({ words }) => words.test(text))
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : ''
}

/** The system's code (`ECONNREFUSED`) or the error word with which Redis begins (`ERR`). */
function causeOf(error: unknown, text: string): string | undefined {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  return typeof code === 'string' ? code : /^[A-Z]{3,}\b/.exec(text)?.[0]
}

/** What the last node said, when no node of a Cluster could be asked for the others; the error itself says nothing then. */
function nodeErrorOf(error: unknown): unknown {
  const last: unknown = error instanceof Error ? Reflect.get(error, 'lastNodeError') : undefined
  return last ?? error
}

/** Classifies an error that a command was rejected with, or that a connection reported. */
export function toRedisFault(reported: unknown): RedisFault {
  const error = nodeErrorOf(reported)
  const text = textOf(error)
  const rule = ruleOf(error)
  if (rule === undefined) {
    const cause = causeOf(error, text)
    const isBare = cause === undefined
    const isPartial = false
    return {
      reason: 'cannot be reached',
      refusesWrites: false,
      cause: cause ?? 'connection',
      isBare,
      isPartial,
      isDenied: false,
    }
  }
  const cause = rule.words.exec(text)?.[0] ?? 'timeout'
  const isPartial = rule.isPartial === true
  const { reason, refusesWrites, isDenied = false } = rule
  return { reason, refusesWrites, cause, isBare: false, isPartial, isDenied }
}

/** Whether the key holds something that is not ours; the caller takes it for "no session". */
export function isWrongType(error: unknown): boolean {
  return textOf(error).includes('WRONGTYPE')
}

/** Whether a server or a proxy before it will never allow this command, so that there is no use in repeating it. */
export function isForbidden(error: unknown): boolean {
  return /\bNOPERM\b|unknown (sub)?command|unsupported command|not (allowed|permitted|supported)/i.test(
    textOf(error),
  )
}

/** Whether it is the server's answer, and about this one command: not about a state in which others fail as well. */
export function isAboutCommand(error: unknown): boolean {
  if (!(error instanceof ReplyError)) return false
  const rule = ruleOf(error)
  return rule === undefined || rule.isDenied === true
}
