import type { IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Frontend } from '../app.ts'
import { Bag, type Bagged, nowhere } from '../basics/bag.ts'
import type { FrontendConfig } from '../config/frontends/load-house.ts'
import { type LifeHolder, ownerOf, type RequestLife } from '../http/lifetime/life.ts'

/** Puts a frontend together. */
export type Build = (config: FrontendConfig) => Promise<Frontend>

/** A request that is in the room. */
interface Guest extends Bagged, LifeHolder {
  readonly life: RequestLife
}

/**
 * A frontend's place in the house: empty until somebody comes, and again when nobody has come for long. Whatever happens, the room knows
 * who is in it.
 */
export class Room {
  readonly name: string
  readonly baseUrl: URL
  readonly config: FrontendConfig
  readonly #build: Build
  readonly #guests = new Bag<Guest>()
  #frontend: Frontend | undefined
  #opening: Promise<Frontend> | undefined
  #leftAtMs = 0
  #takenDown: Promise<void> = Promise.resolve()
  readonly #whenEmpty = new Set<() => void>()

  constructor(config: FrontendConfig, build: Build) {
    this.name = config.name
    this.baseUrl = config.config.baseUrl
    this.config = config
    this.#build = build
  }

  /** `undefined` while nobody has needed it. */
  get frontend(): Frontend | undefined {
    return this.#frontend
  }

  /** Lets a request in. @returns whether that happened at once; otherwise the frontend is to be opened first */
  enter(request: IncomingMessage, ask: (frontend: Frontend) => void): boolean {
    const frontend = this.#frontend
    if (frontend === undefined) return false
    const life = ownerOf(request)
    const guest: Guest = { place: nowhere, life, lifeEnded: () => this.#left(guest) }
    this.#guests.add(guest)
    life.hold(guest)
    ask(frontend)
    return true
  }

  /** Resolves when no refresh of it is under way any more. */
  async refreshed(): Promise<void> {
    await Promise.all([this.#frontend?.refreshed(), this.#takenDown.catch(() => undefined)])
  }

  /** Puts the frontend together, once, whoever asks. */
  open(): Promise<Frontend> {
    this.#opening ??= this.#build(this.config).then(
      (frontend) => {
        this.#frontend = frontend
        this.#leftAtMs = performance.now()
        return frontend
      },
      (error: unknown) => {
        this.#opening = undefined
        throw error
      },
    )
    return this.#opening
  }

  #left(guest: Guest): void {
    this.#guests.delete(guest)
    this.#leftAtMs = performance.now()
    if (this.#guests.size > 0) return
    for (const resolve of this.#whenEmpty) resolve()
    this.#whenEmpty.clear()
  }

  /** Takes the frontend down when nobody was in it for so long. */
  async closeIfIdle(idleMs: number): Promise<void> {
    if (this.#frontend === undefined || this.#guests.size > 0 || performance.now() - this.#leftAtMs < idleMs)
      return
    await this.#takeDown()
  }

  /** Ends the streams, lets everybody finish, cuts off who has not after `graceMs`, and takes the frontend down. */
  async drain(graceMs: number): Promise<void> {
    await this.#opening?.catch(() => undefined)
    const streams = this.#frontend?.drainStreams()
    await Promise.race([this.#empty(), sleep(graceMs, undefined, { ref: false })])
    this.#guests.visit(({ life }) => life.cut())
    await streams
    await this.#takeDown()
  }

  #empty(): Promise<void> {
    if (this.#guests.size === 0) return Promise.resolve()
    return new Promise((resolve) => void this.#whenEmpty.add(resolve))
  }

  /** Whoever finds it under way waits for its end too; of a fault the one who began it is told. */
  #takeDown(): Promise<void> {
    const frontend = this.#frontend
    if (frontend === undefined) return this.#takenDown.catch(() => undefined)
    this.#frontend = undefined
    this.#opening = undefined
    this.#takenDown = frontend.close()
    return this.#takenDown
  }
}
