import type { SessionStore } from '../../../src/session/store/contract.ts'
import { controlStore, unavailable } from './controlled-store.ts'
import { createNode, type Node, type NodeOptions } from './sessions-world.ts'

/** A node that can be killed: from then on nothing that it began comes to an end, and nothing more of it reaches the store. */
export interface MortalNode extends Node {
  readonly isDead: () => boolean
  /** Resolves when it is killed. */
  readonly died: Promise<void>
  /** SIGKILL, and then the time in which its leases run out. */
  kill(): Promise<void>
  /** Sessions that it has asked the store to create, by their hash. */
  readonly created: readonly string[]
}

/** How the store behaves towards a node. */
export interface StoreTroubles {
  /** Awaited before and after each call. */
  readonly pause: () => Promise<void>
  /** Whether the answer to this write is lost; it has been carried out by then. */
  readonly losesAnswer: () => boolean
}

const held = [
  'read',
  'create',
  'replace',
  'touch',
  'delete',
  'deleteEach',
  'take',
  'addToIndex',
  'readIndex',
  'readTombstones',
  'writeTombstone',
  'acquireLease',
  'renewLease',
  'releaseLease',
] as const
const losing: ReadonlySet<string> = new Set(['replace', 'touch', 'delete', 'deleteEach', 'take'])

/** Makes a node over a store that it may be killed at. */
export function createMortalNode(options: NodeOptions, { pause, losesAnswer }: StoreTroubles): MortalNode {
  const { store } = options
  const death = Promise.withResolvers<void>()
  const never = new Promise<void>(() => undefined)
  const leases = new Map<string, string>()
  const created: string[] = []
  let isDead = false
  const alive = async (): Promise<void> => {
    await pause()
    if (isDead) await never
  }
  const mortal = controlStore(store)
  for (const method of held) {
    mortal.before(method, alive)
    mortal.after(method, async () => {
      await alive()
      if (losing.has(method) && losesAnswer()) throw unavailable()
    })
  }
  mortal.before('create', async (h) => {
    await alive()
    created.push(String(h))
  })
  mortal.before('acquireLease', async (h, owner) => {
    await alive()
    leases.set(String(owner), String(h))
  })
  const refresh: typeof options.provider.refresh = async (input) => {
    const outcome = await options.provider.refresh(input)
    if (isDead) await never
    return outcome
  }
  const provider = { ...options.provider, refresh }
  return {
    ...createNode({ ...options, store: mortal, provider }),
    isDead: () => isDead,
    died: death.promise,
    created,
    async kill() {
      isDead = true
      death.resolve()
      await releaseAll(store, leases)
    },
  }
}

async function releaseAll(store: SessionStore, leases: ReadonlyMap<string, string>): Promise<void> {
  await Promise.all([...leases].map(([owner, h]) => store.releaseLease(h, owner)))
}
