/** How a check came out; `skip`: it could not be made, because of another finding. */
export type Status = 'pass' | 'warn' | 'fail' | 'skip'

/** One thing that a check found. No text in it ever holds a secret. */
export interface Finding {
  readonly status: Status
  /** What the finding is about, where a check looks at several things: a setting, a route's prefix. */
  readonly subject?: string
  /** One plain sentence or two. */
  readonly summary: string
  /** What to change; with every `warn` and `fail`. */
  readonly fix?: string
}

/** All is well. */
export function pass(summary: string): Finding {
  return { status: 'pass', summary }
}

/** It works, but not as well as it should, or not for long. */
export function warn(summary: string, fix: string): Finding {
  return { status: 'warn', summary, fix }
}

/** It does not work, or is not safe. */
export function fail(summary: string, fix: string): Finding {
  return { status: 'fail', summary, fix }
}

/** Thrown by a check that cannot be made. The message says why, as a sentence. */
export class SkipCheck extends Error {
  override readonly name = 'SkipCheck'
}
