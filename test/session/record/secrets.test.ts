import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSealer } from '../../../src/sealing/sealer.ts'
import { newSessionId } from '../../../src/session/record/keys.ts'
import { createMemoryStore } from '../../../src/session/store/memory/store.ts'
import { type ControlledStore, controlStore } from '../support/controlled-store.ts'
import {
  api,
  type Clock,
  createClock,
  createNode,
  createScriptedRefreshes,
  firstPage,
  issuer,
  type Node,
  secret as older,
  type ScriptedRefreshes,
  signIn,
  viewOf,
} from '../support/sessions-world.ts'

const newer = 'second-secret-9876543210zyxwvutsrqponml'
let clock: Clock
let store: ControlledStore
let refreshes: ScriptedRefreshes

beforeEach(() => {
  clock = createClock()
  store = controlStore(createMemoryStore({ sessionMaxLifetime: 36_000 }, clock))
  refreshes = createScriptedRefreshes(clock.now, 300_000)
})

afterEach(() => store.close())

function nodeWith(...secrets: string[]): Node {
  const sealer = createSealer(secrets)
  return createNode({ store, now: clock.now, provider: refreshes.provider, sealer })
}

async function refresh(node: Node, id: string): Promise<void> {
  clock.advance(300_000)
  await node.accessTokens.get(id, await viewOf(node, id), api)
}

const logoutToken = (facts: { readonly sub?: string; readonly sid?: string }) => ({
  issuer,
  subject: facts.sub,
  providerSessionId: facts.sid,
  issuedAtSeconds: Math.floor(clock.now() / 1_000),
  jti: newSessionId(),
})

describe('a new SESSION_SECRET', () => {
  it('opens old sessions, and seals them anew at their next refresh; the others end quietly with the old one', async () => {
    const [active, quiet] = [
      await signIn(nodeWith(older), clock.now, { lifeMs: 60_000 }),
      await signIn(nodeWith(older), clock.now, { lifeMs: 60_000 }),
    ]
    await refresh(nodeWith(newer, older), active.id)
    const after = nodeWith(newer)
    expect(await after.sessions.open(active.id)).toBeDefined()
    expect(await after.sessions.open(quiet.id)).toBeUndefined()
    expect(await after.sessions.find(quiet.id)).toBeUndefined()
  })

  it('lets both roll-outs work on the same sessions', async () => {
    const [first, second] = [nodeWith(older, newer), nodeWith(newer, older)]
    const session = await signIn(second, clock.now, { lifeMs: 60_000 })
    await refresh(first, session.id)
    await refresh(second, session.id)
    expect(await first.sessions.open(session.id)).toBeDefined()
    expect(refreshes.presented).toEqual(['refresh-0', 'refresh-1'])
  })

  it.each([{ sub: 'ada' }, { sid: 'sid-1' }])(
    'hides no session from a logout by %j, at no stage',
    async (facts) => {
      const session = await signIn(nodeWith(older), clock.now, { lifeMs: 60_000 })
      const untouched = await signIn(nodeWith(older), clock.now, { lifeMs: 60_000 })
      await refresh(nodeWith(newer, older), session.id)
      const ended = await nodeWith(newer, older).sessions.endByLogoutToken(logoutToken(facts))
      expect(ended).toMatchObject({ ended: 2 })
      expect(await store.exist([session.view.h, untouched.view.h])).toEqual([false, false])
    },
  )

  it('leaves sessions that were sealed anew to a logout and to their owner’s list after the old one is gone', async () => {
    const session = await signIn(nodeWith(older), clock.now, { lifeMs: 60_000 })
    await refresh(nodeWith(newer, older), session.id)
    const after = nodeWith(newer)
    const opened = await after.sessions.open(session.id)
    if (opened === undefined) throw new Error('no session')
    expect((await after.sessions.list(opened, firstPage))?.sessions).toHaveLength(1)
    expect(await after.sessions.endByLogoutToken(logoutToken({ sub: 'ada' }))).toMatchObject({ ended: 1 })
  })

  it('has the index members written before the record', async () => {
    const session = await signIn(nodeWith(older), clock.now, { lifeMs: 60_000 })
    store.calls.length = 0
    await refresh(nodeWith(newer, older), session.id)
    const writes = store.calls.filter((call) => call === 'addToIndex' || call === 'replace')
    expect(writes).toEqual(['addToIndex', 'addToIndex', 'replace'])
    store.calls.length = 0
    await refresh(nodeWith(newer, older), session.id)
    expect(store.calls).not.toContain('addToIndex')
  })

  it('finds the tombstones that were written under the old one', async () => {
    await nodeWith(older).sessions.endByLogoutToken(logoutToken({ sid: 'sid-1' }))
    await expect(signIn(nodeWith(newer, older), clock.now, { lifeMs: 60_000 })).rejects.toThrow(
      'ended meanwhile',
    )
  })
})
