import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import Fastify, { type FastifyInstance } from 'fastify'
import { createFrontend, type Frontend, type SharedParts } from './app.ts'
import { gatewayCookieNames } from './config/cookie-names.ts'
import type { FrontendConfig, HouseConfig } from './config/frontends/load-house.ts'
import type { ProcessSettings } from './config/settings/settings.ts'
import { createDoorman, type Doorman, type DoormanOptions } from './house/doorman.ts'
import type { Issuers } from './house/issuers.ts'
import { answerProbe, isProbe, writePlain } from './house/probes.ts'
import { createHouseReadiness } from './house/readiness.ts'
import { createRefusal, type Refuse } from './house/refusals.ts'
import { Room } from './house/rooms.ts'
import type { CheckReadiness } from './http/health/readiness.ts'
import { closeWithin } from './http/lifetime/closing.ts'
import { lifeOf } from './http/lifetime/life.ts'
import { type OwnedListener, ownLives } from './http/lifetime/listener.ts'
import { createTrustedNetworks, isOfNetworks } from './http/limits/client-address.ts'
import { watchEventLoop } from './http/limits/overload.ts'
import { attachAdmin, listenForAdmin } from './http/server/attached-admin.ts'
import { requestProblem } from './http/server/request-form.ts'
import { createListenerServer, createServerOptions } from './http/server/server-options.ts'
import { createCacheRoom } from './session/lifecycle/cache.ts'
import { createStore } from './session/store/create-store.ts'
import type { Telemetry } from './telemetry/telemetry.ts'

export { loadHouse } from './config/frontends/load-house.ts'

/** What a house is made with. */
export interface HouseParts {
  readonly telemetry: Telemetry
  readonly issuers: Pick<Issuers, 'report' | 'follow' | 'close'>
  /** A frontend that nobody was in for so long is taken down, milliseconds; 15 minutes unless told otherwise. */
  readonly idleMs?: number
}

/** Several frontends behind one listener, still to listen. */
export type House = FastifyInstance & {
  readonly beginDraining: () => void
  readonly checkReadiness: CheckReadiness
  /** Whether the session store answers. */
  readonly isStoreReady: () => Promise<boolean>
  /**
   * Takes other frontends: those that are as they were stay undisturbed, changed ones are replaced, and those that are gone are drained.
   * Resolves when the last of them is.
   */
  readonly reload: (next: HouseConfig) => Promise<void>
}

const defaultIdleMs = 900_000
/** How often it is looked for frontends that are idle, in parts of the idle time. */
const idleChecks = 15

/**
 * Puts the process of several frontends together (DESIGN-2 section 3): the listener, the doorman, and what all share. A frontend is put
 * together when first needed, one at a time, and taken down when nobody needs it.
 *
 * @throws the listen error of Node when the admin address cannot be listened on
 */
export async function createHouse(config: HouseConfig, parts: HouseParts): Promise<House> {
  const { process } = config
  const server = createListenerServer(process)
  const app: FastifyInstance = Fastify({
    ...createServerOptions(process, parts.telemetry.log),
    serverFactory: () => server,
  })
  const shared = createShared(process, parts.telemetry, app)
  const rooms = new Rooms(process, shared, parts)
  const listener = open(server, rooms, parts.telemetry)
  closeWithin(app, listener, process.shutdownGrace * 1_000)
  const checkReadiness = createHouseReadiness({
    store: shared.store,
    isDraining: () => listener.isDraining(),
    issuers: () => parts.issuers.report(),
    frontends: () => rooms.status(),
  })
  rooms.checkReadiness = checkReadiness
  const admin = attachAdmin(app, parts.telemetry, checkReadiness)
  closeWith(app, rooms, shared, parts)
  parts.telemetry.metrics.openConnections(async () => listener.connections.size)
  await rooms.take(config.frontends)
  await app.ready()
  await listenForAdmin(app, admin, process)
  return Object.assign(app, {
    beginDraining: () => listener.beginDraining(),
    checkReadiness,
    isStoreReady: () =>
      shared.store.ping().then(
        () => true,
        () => false,
      ),
    reload: (next: HouseConfig) => rooms.take(next.frontends),
  })
}

function createShared(process: ProcessSettings, telemetry: Telemetry, app: FastifyInstance): SharedParts {
  const { shedder, stop } = watchEventLoop(telemetry.log)
  app.addHook('onClose', async () => stop())
  return {
    telemetry,
    // Each frontend's view of it prunes by its own lifetime; nobody keeps sessions in the one that has no name.
    store: createStore({ ...process, sessionMaxLifetime: 0 }, telemetry, Date.now),
    cacheRoom: createCacheRoom(process.sessionCache ? process.sessionCacheSize : 0),
    cookieNames: gatewayCookieNames([]),
    shedder,
  }
}

function open(server: Server, rooms: Rooms, telemetry: Telemetry): OwnedListener {
  const refuse = createRefusal(telemetry)
  return ownLives(server, (request, response) => {
    try {
      rooms.route(request, response, refuse)
    } catch (error) {
      refuse(request, response, error)
    }
  })
}

/** Streams end when closing begins; the frontends are taken down once no request is under way any more, and what they share after them. */
function closeWith(
  app: FastifyInstance,
  rooms: Rooms,
  { store }: SharedParts,
  { issuers, telemetry }: HouseParts,
): void {
  app.addHook('preClose', () => rooms.drainStreams())
  app.addHook('onClose', async () => {
    issuers.close()
    await rooms.close()
    await Promise.all([store.close(), telemetry.tracing?.close()])
  })
}

/** The rooms of the house and who is sent to which. */
class Rooms {
  readonly #graceMs: number
  readonly #shared: SharedParts
  readonly #issuers: HouseParts['issuers']
  readonly #trust: DoormanOptions
  readonly #idleTimer: NodeJS.Timeout
  #rooms: ReadonlyMap<string, Room> = new Map()
  #doorman: Doorman<Room> | undefined
  #building: Promise<unknown> = Promise.resolve()
  checkReadiness: CheckReadiness | undefined

  constructor(
    process: ProcessSettings,
    shared: SharedParts,
    { issuers, idleMs = defaultIdleMs }: HouseParts,
  ) {
    this.#graceMs = process.shutdownGrace * 1_000
    this.#shared = shared
    this.#issuers = issuers
    const trusted = createTrustedNetworks(process.trustProxy)
    this.#trust = { isTrusted: (address) => !trusted.isEmpty && isOfNetworks(address, trusted) }
    this.#idleTimer = setInterval(() => this.#closeIdle(idleMs), idleMs / idleChecks).unref()
  }

  /** @throws GatewayError what reaches no frontend */
  route(request: IncomingMessage, response: ServerResponse, refuse: Refuse): void {
    const problem = requestProblem(request)
    if (problem !== undefined) throw problem
    if (isProbe(request.url ?? '')) {
      this.#probe(request, response, refuse)
      return
    }
    const room = this.#doorman?.choose(request)
    if (room?.enter(request, response) === false) this.#openFor(room, request, response, refuse)
  }

  #probe(request: IncomingMessage, response: ServerResponse, refuse: Refuse): void {
    const { checkReadiness } = this
    if (checkReadiness === undefined) return
    answerProbe(request, checkReadiness).then(
      (answer) => writePlain(request, response, answer),
      (error: unknown) => refuse(request, response, error),
    )
  }

  #openFor(room: Room, request: IncomingMessage, response: ServerResponse, refuse: Refuse): void {
    room.open().then(
      () => {
        // It may be closed again before this one comes to its turn.
        if (lifeOf(request)?.isOver !== true && !room.enter(request, response))
          this.#openFor(room, request, response, refuse)
      },
      (error: unknown) => refuse(request, response, error),
    )
  }

  /** One at a time: a burst of first requests must not keep the event loop from all others. */
  readonly #build = (config: FrontendConfig): Promise<Frontend> => {
    const built = this.#building.then(() => createFrontend(config.config, this.#shared))
    this.#building = built.catch(() => undefined)
    return built
  }

  /** Takes these frontends in the place of those that are there. */
  async take(frontends: readonly FrontendConfig[]): Promise<void> {
    const before = this.#rooms
    const rooms = frontends.map((frontend) => {
      const room = before.get(frontend.name)
      this.#shared.cookieNames.add(frontend.config.cookieWord)
      return room?.config.fingerprint === frontend.fingerprint ? room : new Room(frontend, this.#build)
    })
    this.#rooms = new Map(rooms.map((room) => [room.name, room]))
    this.#doorman = createDoorman(rooms, this.#trust)
    this.#issuers.follow(frontends)
    const leaving = [...before.values()].filter((room) => this.#rooms.get(room.name) !== room)
    await Promise.all(leaving.map((room) => room.drain(this.#graceMs)))
  }

  *status() {
    for (const [name, { frontend }] of this.#rooms) yield [name, frontend?.providerStatus()] as const
  }

  async drainStreams(): Promise<void> {
    const built = [...this.#rooms.values()].flatMap(({ frontend }) => frontend ?? [])
    await Promise.all(built.map((frontend) => frontend.drainStreams()))
  }

  async close(): Promise<void> {
    clearInterval(this.#idleTimer)
    await Promise.all([...this.#rooms.values()].map((room) => room.drain(0)))
  }

  #closeIdle(idleMs: number): void {
    for (const room of this.#rooms.values()) {
      room.closeIfIdle(idleMs).catch((err: unknown) => {
        this.#shared.telemetry.log.error({ err, frontend: room.name }, 'a frontend could not be taken down')
      })
    }
  }
}
