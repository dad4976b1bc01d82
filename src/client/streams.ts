import { ownPath } from './own-address.ts'
import type { SessionState } from './session-state.ts'

/** The first pause before a lost connection is opened again, and the longest, milliseconds. */
const firstPauseMs = 1_000
const longestPauseMs = 30_000

/** RFC 6455 section 7.4.1: the other side has said all that it wanted to. */
const normalClosure = 1000

/** What a kept stream needs of the page's knowledge. */
type StreamWatch = Pick<SessionState<object>, 'ask' | 'streamOpened'> & {
  readonly changes: {
    listen(listener: (session: { readonly authenticated: boolean }) => void): () => void
  }
}

/** What a connection tells of itself. */
interface Reports {
  readonly opened: () => void
  /** It has gone, and does not come back by itself. */
  readonly lost: () => void
  /** The other side has ended it in order. */
  readonly ended: () => void
}

/**
 * Keeps an event stream of the API open. An `EventSource` reconnects by itself until it meets an answer other than 200; whether that was the
 * session's end only the gateway knows.
 *
 * @param use called with each new source, to add the listeners
 * @returns stops it
 * @throws TypeError when the address is of another origin
 */
export function keepEventSource(
  state: StreamWatch,
  address: string,
  use: (source: EventSource) => void,
): () => void {
  const url = streamUrl(address)
  return keepOpen(state, ({ opened, lost }) => {
    const source = new EventSource(url)
    source.addEventListener('open', opened)
    source.addEventListener('error', () => source.readyState === source.CLOSED && lost())
    use(source)
    return () => source.close()
  })
}

/**
 * Keeps a WebSocket of the API open; the gateway closes it with 4401 when the session ends. An end in order (1000) is left alone.
 *
 * @param use called with each new socket, to add the listeners
 * @returns stops it
 * @throws TypeError when the address is of another origin
 */
export function keepWebSocket(
  state: StreamWatch,
  address: string,
  use: (socket: WebSocket) => void,
  protocols: string | string[] = [],
): () => void {
  const url = streamUrl(address)
  url.protocol = url.protocol.replace('http', 'ws')
  return keepOpen(state, ({ opened, lost, ended }) => {
    const socket = new WebSocket(url, protocols)
    socket.addEventListener('open', opened)
    socket.addEventListener('close', ({ code }) => (code === normalClosure ? ended() : lost()))
    use(socket)
    return () => socket.close(normalClosure)
  })
}

function streamUrl(address: string): URL {
  const path = ownPath(new URL(address, document.baseURI).href)
  if (path === undefined) throw new TypeError(`${address} is no address of ${location.origin}`)
  return new URL(path, location.origin)
}

/** Opens again what was lost: after a pause while somebody is signed in or nobody knows, at the next sign-in when nobody is. */
function keepOpen(state: StreamWatch, open: (reports: Reports) => () => void): () => void {
  const stopping = new AbortController()
  const { signal } = stopping
  let losses = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let close: (() => void) | undefined
  let isWaitingForSignIn = false
  let isOver = false
  const end = (): void => {
    clearTimeout(timer)
    close?.()
    close = undefined
  }
  const start = (): void => {
    end()
    isWaitingForSignIn = false
    const current = open({
      opened: () => {
        losses = 0
      },
      lost: () => void (close === current && recover()),
      ended: () => {
        isOver ||= close === current
      },
    })
    close = current
  }
  const recover = async (): Promise<void> => {
    close = undefined
    const session = await state.ask().catch(() => undefined)
    if (signal.aborted || close !== undefined) return
    isWaitingForSignIn = session?.authenticated === false
    if (isWaitingForSignIn) return
    clearTimeout(timer)
    timer = setTimeout(start, pauseMs(losses))
    losses += 1
  }
  const hear = ({ authenticated }: { readonly authenticated: boolean }): void => {
    if (isOver) return
    if (authenticated && isWaitingForSignIn) start()
    if (authenticated) return
    isWaitingForSignIn = true
    end()
  }
  const stopHearing = state.changes.listen(hear)
  const streamClosed = state.streamOpened()
  // A page from the back/forward cache has lost its connections without hearing of it.
  addEventListener('pageshow', ({ persisted }) => persisted && !isOver && start(), { signal })
  start()
  return () => {
    stopping.abort()
    stopHearing()
    streamClosed()
    end()
  }
}

/** Doubles from loss to loss; scattered, so that not all pages come back at once. */
function pauseMs(losses: number): number {
  return Math.min(longestPauseMs, firstPauseMs * 2 ** losses) * (0.5 + Math.random() / 2)
}
