import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { UpgradeSocket } from './upgrade.ts'

/** How a life ended: the browser has the whole answer, or it is gone; a connection that was cut from here counts as gone. */
export type LifeEnd = 'answered' | 'browser_gone'

/** Something that must be given back when a request is over. */
export interface LifeHolder {
  /** Called once, whatever the request was waiting for at that moment. */
  lifeEnded(end: LifeEnd): void
}

/** The connection that a request came on, as its life needs it. */
export interface LifeConnection {
  readonly socket: Socket
  /** Whether the newest request on it is worked on at once; otherwise it waits until those before it are answered. */
  readonly isInTurn: boolean
  /** Puts off the work on the newest request. Should its client leave before that, it is not carried out. */
  wait(work: () => void): void
  /** The life is over. */
  forget(life: RequestLife): void
  /** Closes it so that the last answer is seen, although bytes of the client may be unread. */
  endInOrder(): void
  /** Whether what waits for the client goes out, though slowly: more of it has reached the system since this was last asked. */
  isFlushing(): boolean
  destroy(): void
}

const lifeKey = Symbol('life')

interface OwnedRequest extends IncomingMessage {
  [lifeKey]?: RequestLife
}

/**
 * The one owner of a request's life (DESIGN-2 section 2), made by the listener from the raw request before anybody else sees it. Whoever
 * waits for something asks it afterwards whether anybody still wants the answer, and whoever takes something that must be given back
 * is told of the end; nobody else watches the connection.
 */
export class RequestLife {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly connection: LifeConnection
  /** Set when a WebSocket is asked for. */
  readonly upgrade: UpgradeSocket | undefined
  /** The decision about it took a wait: what that rests on may be over. */
  hasWaited = false
  #end: LifeEnd | undefined
  #holders: LifeHolder[] = []
  #mayInvite = false

  constructor(
    request: OwnedRequest,
    response: ServerResponse,
    connection: LifeConnection,
    upgrade: UpgradeSocket | undefined,
  ) {
    this.request = request
    this.response = response
    this.connection = connection
    this.upgrade = upgrade
    request[lifeKey] = this
    response.on('error', ignore).on('close', endOfResponse)
  }

  /** Nobody waits for the answer any more: it was given, or the browser has left. */
  get isOver(): boolean {
    return this.#end !== undefined
  }

  /** Tells of the end; at once when that has come. */
  hold(holder: LifeHolder): void {
    if (this.#end === undefined) this.#holders.push(holder)
    else holder.lifeEnded(this.#end)
  }

  /** The client waits to be asked for its body (`Expect: 100-continue`). */
  expectInvitation(): void {
    this.#mayInvite = true
  }

  /** The body is wanted. */
  inviteBody(): void {
    if (!this.#mayInvite) return
    this.#mayInvite = false
    if (!this.response.headersSent && !this.isOver) this.response.writeContinue()
  }

  /** Ends the connection, and with it every answer on it: what began cannot look whole. */
  cut(): void {
    this.connection.destroy()
  }

  /** The end, as the connection saw it. Later ones are not heard. */
  end(end: LifeEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.connection.forget(this)
    const holders = this.#holders
    this.#holders = []
    for (const holder of holders) holder.lifeEnded(end)
  }
}

/** The owner of a request; `undefined` for one that came by no listener. */
export function lifeOf(request: OwnedRequest): RequestLife | undefined {
  return request[lifeKey]
}

/** The owner of a request that came by a listener. @throws TypeError for another */
export function ownerOf(request: IncomingMessage): RequestLife {
  const life = lifeOf(request)
  if (life === undefined) throw new TypeError('a request without an owner')
  return life
}

/** Runs `then` when a request is over, with or without an owner. */
export function whenOver(request: IncomingMessage, response: ServerResponse, then: () => void): void {
  const life = lifeOf(request)
  if (life === undefined) response.once('close', then)
  else life.hold({ lifeEnded: then })
}

/** What a request is reported with that nobody answered, as other servers write it in their logs. */
const unansweredStatus = 499
/** What Node presumes of an answer until somebody says otherwise. */
const presumedStatus = 200

/**
 * The status that a request is reported with once it is over: the one of its answer, also where that was broken off. A request that was over
 * before anything was decided about it, because its browser left or its connection was cut, has none: that is 499 in lines and measurements.
 */
export function reportedStatus({ headersSent, statusCode }: ServerResponse): number {
  return headersSent || statusCode !== presumedStatus ? statusCode : unansweredStatus
}

/** A write after the end: the answer was whole, and the connection goes on. An error that nobody hears would end the process. */
function ignore(): void {}

function endOfResponse(this: ServerResponse): void {
  lifeOf(this.req)?.end(this.writableFinished ? 'answered' : 'browser_gone')
}

/** Node then writes `Connection: close` by itself, whoever writes the answer; and no request behind it is begun. */
export function makeLast(response: ServerResponse): void {
  response.shouldKeepAlive = false
}
