import type { Server } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { SharedParts } from './app.ts'
import { attachChecks } from './check/attached-checks.ts'
import { gatewayCookieNames } from './config/cookie-names.ts'
import type { HouseConfig } from './config/frontends/load-house.ts'
import type { ProcessSettings } from './config/settings/settings.ts'
import type { Issuers } from './house/issuers.ts'
import { createHouseReadiness } from './house/readiness.ts'
import { Rooms, type RoomsParts } from './house/rooms.ts'
import { attachAdmin, listenForAdmin } from './http/admin/attached-admin.ts'
import { createRefusal } from './http/answers/refusals.ts'
import type { CheckReadiness } from './http/health/readiness.ts'
import { closeWithin } from './http/lifetime/closing.ts'
import { type OwnedListener, ownLives, type Route } from './http/lifetime/listener.ts'
import { watchEventLoop } from './http/limits/overload.ts'
import { createListenerServer, createRoot } from './http/server/server.ts'
import { createUnroutedReport } from './http/server/unrouted-log.ts'
import { createProcessNames } from './proxy/headers/reserved-names.ts'
import { createCacheRoom } from './session/lifecycle/cache.ts'
import { createStore } from './session/store/create-store.ts'
import { createNonceMemory } from './signing/nonces.ts'
import type { Telemetry } from './telemetry/telemetry.ts'

export { loadHouse } from './config/frontends/load-house.ts'

/** What a house is made with. */
export interface HouseParts
  extends Pick<RoomsParts, 'idleMs' | 'formerCookieWords'>,
    Partial<Pick<SharedParts, 'shedder'>> {
  readonly telemetry: Telemetry
  readonly issuers: Pick<Issuers, 'report' | 'follow' | 'close'>
}

/** Several frontends behind one listener, still to listen. */
export type House = FastifyInstance & {
  readonly beginDraining: () => void
  /** Resolves when no refresh is under way any more. */
  readonly refreshed: () => Promise<void>
  readonly checkReadiness: CheckReadiness
  /** Whether the session store answers. */
  readonly isStoreReady: () => Promise<boolean>
  /**
   * Takes other frontends: those that are as they were stay undisturbed, changed ones are replaced, and those that are gone are drained.
   * Resolves when the last of them is.
   */
  readonly reload: (next: HouseConfig) => Promise<void>
}

/**
 * Puts the process of several frontends together (DESIGN-2 section 3): the listener, the doorman, and what all share. A frontend is put
 * together when first needed, one at a time, and taken down when nobody needs it.
 *
 * @throws the listen error of Node when the admin address cannot be listened on
 */
export async function createHouse(config: HouseConfig, parts: HouseParts): Promise<House> {
  const { process } = config
  const server = createListenerServer(process)
  const app = createRoot(process, parts.telemetry.log, { serverFactory: () => server })
  const shared = createShared(process, parts, app)
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
  const checks = attachChecks(app, process, parts.telemetry, (question) => rooms.check(question))
  parts.telemetry.metrics.openConnections(async () => listener.connections.size)
  await rooms.take(config.frontends)
  await app.ready()
  await listenForAdmin(app, admin, process)
  return Object.assign(app, {
    beginDraining: () => {
      listener.beginDraining()
      checks.beginDraining()
    },
    refreshed: () => rooms.refreshed(),
    checkReadiness,
    isStoreReady: () =>
      shared.store.ping().then(
        () => true,
        () => false,
      ),
    reload: (next: HouseConfig) => rooms.take(next.frontends),
  })
}

function createShared(process: ProcessSettings, parts: HouseParts, app: FastifyInstance): SharedParts {
  const { telemetry } = parts
  const { shedder, stop } = watchEventLoop(telemetry.log, parts.shedder)
  app.addHook('onClose', async () => stop())
  return {
    telemetry,
    // Each frontend's view of it prunes by its own lifetime; nobody keeps sessions in the one that has no name.
    store: createStore({ ...process, sessionMaxLifetime: 0 }, telemetry, Date.now),
    cacheRoom: createCacheRoom(process.sessionCache ? process.sessionCacheSize : 0),
    cookieNames: gatewayCookieNames([]),
    headerNames: createProcessNames(),
    shedder,
    nonces: createNonceMemory(),
  }
}

function open(server: Server, rooms: Rooms, telemetry: Telemetry): OwnedListener {
  const refuse = createRefusal(telemetry)
  const route: Route = (request, response) => {
    try {
      rooms.route(request, response, refuse)
    } catch (error) {
      refuse(request, response, error)
    }
  }
  return ownLives(server, route, { report: createUnroutedReport(telemetry) })
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
