import { canonicalHeaderName } from '../../basics/header-name.ts'
import type { RouteConfig } from '../../config/routes/route.ts'

/** Names of headers that are the gateway's to write: a browser's own never go upstream, on any route of the process. */
export interface ReservedNames {
  /** Grows with each change, so that what was derived from the names is known to be old. */
  readonly edition: number
  has(canonicalName: string): boolean
}

/** The names of a process, which change with its frontends. */
export interface ProcessNames extends ReservedNames {
  /** Takes the names that these routes write in the place of those before. */
  replace(routes: Iterable<RouteConfig>): void
}

/** Begins without any. */
export function createProcessNames(): ProcessNames {
  let names: ReadonlySet<string> = new Set()
  let edition = 0
  return {
    get edition() {
      return edition
    },
    has: (name) => names.has(name),
    replace(routes) {
      const next = new Set<string>()
      for (const { access } of routes) {
        for (const [name] of access.identityHeaders) next.add(canonicalHeaderName(name))
      }
      if (next.size === names.size && [...next].every((name) => names.has(name))) return
      names = next
      edition += 1
    },
  }
}

/**
 * The names of a frontend's own routes and those of the process. Its own stay for as long as it is there: one that is replaced finishes
 * what it has begun by its own rules.
 */
export function reservedNamesOf(routes: Iterable<RouteConfig>, process: ReservedNames): ReservedNames {
  const own = createProcessNames()
  own.replace(routes)
  return {
    get edition() {
      return process.edition
    },
    has: (name) => own.has(name) || process.has(name),
  }
}
