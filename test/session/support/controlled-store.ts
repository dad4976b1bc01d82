import { GatewayError } from '../../../src/errors/gateway-error.ts'
import type { SessionChanges, SessionStore } from '../../../src/session/store/contract.ts'

type Method = {
  [Name in keyof SessionStore]: SessionStore[Name] extends (...args: never[]) => Promise<unknown>
    ? Name
    : never
}[keyof SessionStore]

type Hook = (...args: readonly unknown[]) => unknown

/** A store whose calls are seen, delayed and made to fail. */
export interface ControlledStore extends SessionStore {
  /** Names of the methods in the order in which they were called. */
  readonly calls: string[]
  /** Runs, and is awaited, before the call reaches the store; what it throws is the call's result. */
  before(method: Method, hook: Hook | undefined): void
  /** The sessions that the store cannot delete, as if the part that holds them did not answer. */
  stuck(hs: readonly string[]): void
  /** Runs, and is awaited, after the store has done it. */
  after(method: Method, hook: Hook | undefined): void
}

/** Wraps a store. */
export function controlStore(store: SessionStore, changes: SessionChanges = store.changes): ControlledStore {
  const calls: string[] = []
  const befores = new Map<string, Hook>()
  const afters = new Map<string, Hook>()
  let stuck: readonly string[] = []
  const deleteOthers: SessionStore['deleteEach'] = async (hs) => {
    const rows = await store.deleteEach(hs.filter((h) => !stuck.includes(h)))
    const left = [...rows]
    return hs.map((h) => (stuck.includes(h) ? undefined : left.shift()))
  }
  const control = {
    calls,
    stuck(hs: readonly string[]) {
      stuck = hs
    },
    changes,
    before: (method: Method, hook: Hook | undefined) => set(befores, method, hook),
    after: (method: Method, hook: Hook | undefined) => set(afters, method, hook),
  }
  return new Proxy(store, {
    get(target, name: string) {
      if (name in control) return Reflect.get(control, name)
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function' || name === 'scan' || name === 'status') return value
      return async (...args: readonly unknown[]) => {
        calls.push(name)
        await befores.get(name)?.(...args)
        const call: unknown = name === 'deleteEach' && stuck.length > 0 ? deleteOthers : value
        const result: unknown = await Reflect.apply(call as typeof value, target, args)
        await afters.get(name)?.(...args)
        return result
      }
    },
  }) as ControlledStore
}

function set(hooks: Map<string, Hook>, method: string, hook: Hook | undefined): void {
  if (hook === undefined) hooks.delete(method)
  else hooks.set(method, hook)
}

/** What a store that does not answer rejects with. */
export function unavailable(): GatewayError {
  return new GatewayError('session_store_unavailable')
}

/** A stop for one or more calls. */
export interface Stop {
  /** Use as a hook. */
  readonly wait: () => Promise<void>
  /** Resolves when somebody waits. */
  readonly reached: Promise<void>
  open(): void
}

export function createStop(): Stop {
  const reached = Promise.withResolvers<void>()
  const opened = Promise.withResolvers<void>()
  return {
    reached: reached.promise,
    wait() {
      reached.resolve()
      return opened.promise
    },
    open: () => opened.resolve(),
  }
}

/** An invalidation feed played by hand. */
export interface PlayedChanges extends SessionChanges {
  tell(h: string | undefined): void
  interrupt(): void
  resume(): void
}

export function playChanges(): PlayedChanges {
  const listeners = new Set<(h: string | undefined) => void>()
  let live = true
  let epoch = 0
  const tell = (h: string | undefined): void => {
    for (const listener of listeners) listener(h)
  }
  const change = (isLive: boolean): void => {
    live = isLive
    epoch += 1
    tell(undefined)
  }
  return {
    tell,
    interrupt: () => change(false),
    resume: () => change(true),
    isLive: () => live,
    epoch: () => epoch,
    subscribe(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}
