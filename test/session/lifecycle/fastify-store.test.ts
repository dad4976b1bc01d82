import cookie from '@fastify/cookie'
import fastifySession from '@fastify/session'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  attachPendingLogin,
  createFastifySessionStore,
  openSessionOf,
} from '../../../src/session/lifecycle/fastify-store.ts'
import { isSessionId, newSessionId } from '../../../src/session/record/keys.ts'
import { createMemoryStore } from '../../../src/session/store/memory/store.ts'
import { type ControlledStore, controlStore, unavailable } from '../support/controlled-store.ts'
import {
  api,
  type Clock,
  completedLogin,
  createClock,
  createNode,
  createScriptedRefreshes,
  issuer,
  type Node,
  signIn,
} from '../support/sessions-world.ts'

let clock: Clock
let store: ControlledStore
let node: Node
let app: FastifyInstance

beforeEach(async () => {
  clock = createClock()
  store = controlStore(createMemoryStore({ sessionMaxLifetime: 36_000 }, clock))
  node = createNode({ store, now: clock.now, provider: createScriptedRefreshes(clock.now).provider })
  app = Fastify()
  await app.register(cookie)
  await app.register(fastifySession, {
    store: createFastifySessionStore(node.sessions),
    secret: { sign: (id) => id, unsign: (id) => ({ valid: isSessionId(id), renew: false, value: id }) },
    idGenerator: newSessionId,
    cookieName: 'coatcheck',
    cookie: { secure: false, httpOnly: true, sameSite: 'strict', path: '/' },
    rolling: false,
    saveUninitialized: false,
  })
  app.addHook('onRequest', async (request) => {
    request.cookies = {}
  })
  app.get('/who', (request) => ({ sub: openSessionOf(request.session)?.record.identity.subject ?? null }))
  app.get('/callback', async (request) => {
    await request.session.regenerate()
    attachPendingLogin(request.session, {
      login: completedLogin(clock.now()),
      audienceKey: api.key,
      browserFamily: 'Firefox',
      redeemedAtMs: clock.now(),
    })
    await request.session.save()
    return { id: openSessionOf(request.session)?.id }
  })
  app.get('/logout', async (request) => {
    await request.session.destroy()
    return {}
  })
})

afterEach(async () => {
  await app.close()
  await store.close()
})

const ask = (url: string, id?: string) =>
  app.inject({ url, ...(id === undefined ? {} : { headers: { cookie: `coatcheck=${id}` } }) })

describe('the store given to @fastify/session', () => {
  it('opens the session of a cookie, writes nothing, and sets no cookie', async () => {
    const { id } = await signIn(node, clock.now)
    store.calls.length = 0
    const answer = await ask('/who', id)
    expect(answer.json()).toEqual({ sub: 'ada' })
    expect(answer.headers['set-cookie']).toBeUndefined()
    expect(store.calls).toEqual(['read'])
  })

  it.each([newSessionId(), 'garbage', 'a'.repeat(5_000)])(
    'takes %j for no session and makes none',
    async (id) => {
      const answer = await ask('/who', id)
      expect(answer.json()).toEqual({ sub: null })
      expect(answer.headers['set-cookie']).toBeUndefined()
      expect(store.calls).not.toContain('create')
    },
  )

  it('begins a session under a new id, once, and its cookie is set', async () => {
    const planted = newSessionId()
    const answer = await ask('/callback', planted)
    const { id } = answer.json<{ id: string }>()
    expect(id).not.toBe(planted)
    expect(answer.headers['set-cookie']).toBe(`coatcheck=${id}; Path=/; HttpOnly; SameSite=Strict`)
    expect(store.calls.filter((call) => call === 'create')).toHaveLength(1)
    expect((await ask('/who', id)).json()).toEqual({ sub: 'ada' })
    expect((await ask('/who', planted)).json()).toEqual({ sub: null })
  })

  it('ends the older session of the same browser when a new one begins', async () => {
    const { id } = await signIn(node, clock.now)
    await ask('/callback', id)
    expect((await ask('/who', id)).json()).toEqual({ sub: null })
  })

  it('sets no cookie when a logout came during the callback', async () => {
    const token = { issuer, subject: undefined, providerSessionId: 'sid-1', issuedAtSeconds: 9e9, jti: 'j' }
    await node.sessions.endByLogoutToken(token)
    const answer = await ask('/callback')
    expect(answer.json()).toMatchObject({ message: 'session_expired' })
    expect(answer.headers['set-cookie']).toBeUndefined()
    expect(store.calls.filter((call) => call === 'create')).toHaveLength(1)
  })

  it.each(['/who', '/logout'])(
    'answers with the failure of the store at %s, and leaves the cookie alone',
    async (url) => {
      const { id } = await signIn(node, clock.now)
      store.before(url === '/who' ? 'read' : 'deleteEach', () => Promise.reject(unavailable()))
      const answer = await ask(url, id)
      expect(answer.json()).toMatchObject({ message: 'session_store_unavailable' })
      expect(answer.headers['set-cookie']).toBeUndefined()
    },
  )

  it('ends the session that is destroyed', async () => {
    const { id, view } = await signIn(node, clock.now)
    await ask('/logout', id)
    expect(await store.exist([view.h])).toEqual([false])
  })

  it('shows the plugin nothing to hash or serialise', async () => {
    const { id } = await signIn(node, clock.now)
    const session = await new Promise((resolve, reject) => {
      createFastifySessionStore(node.sessions).get(id, (error, found) =>
        error ? reject(error) : resolve(found),
      )
    })
    expect(JSON.stringify(session)).toBe('{}')
  })
})
