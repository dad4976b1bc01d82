import { vi } from 'vitest'

/** A request as the page sent it. */
export interface SentRequest {
  readonly method: string
  readonly path: string
  readonly headers: Headers
  readonly body: string
}

/** What answers a request; the page's `fetch` waits for a promise. */
export type Answer = (request: SentRequest) => Response | Promise<Response>

/** A page of a browser, as far as the helper needs one. */
export interface Page {
  /** Everything that was fetched, in order. */
  readonly requests: readonly SentRequest[]
  /** Addresses that the page left for. */
  readonly left: readonly string[]
  /** Forms that were submitted. */
  readonly forms: readonly { readonly method: string; readonly action: string }[]
  /** Answers for a path, the last one for ever. */
  answer(path: string, ...answers: readonly Answer[]): void
  /** Shows or hides the page. */
  show(isVisible: boolean): void
  /** The person turns to the window. */
  focus(): void
  /** The person turns to another window; this one is still seen. */
  blur(): void
  /** The page has this `<base href>`. */
  setBase(address: string): void
  /** The page comes back from the back/forward cache. */
  comeBack(): void
  /** The page that holds a lock goes: the next one in the queue gets it. */
  dropLock(): void
}

export const origin = 'https://app.example.test'

const subject = 'alice'

/** `GET /session` of a session with so much time left. */
export const signedIn =
  (expiresIn = 3600, idleExpiresIn = 1800, sub = subject, more: object = {}): Answer =>
  () =>
    Response.json({
      ...more,
      authenticated: true,
      user: { sub },
      expiresIn,
      idleExpiresIn,
      loginUrl: '/login',
      logoutUrl: '/logout',
    })

/** `GET /session` without one. */
export const signedOut: Answer = () => Response.json({ authenticated: false, loginUrl: '/login' })

/** A problem of the gateway. */
export const problem =
  (code: string, status: number, more: Readonly<Record<string, unknown>> = {}, headers = {}): Answer =>
  () =>
    new Response(
      JSON.stringify({
        type: `urn:coatcheck:problem:${code}`,
        code,
        status,
        detail: `about ${code}`,
        ...more,
      }),
      { status, headers: { 'content-type': 'application/problem+json; charset=utf-8', ...headers } },
    )

/** Any other answer. */
export const reply =
  (status: number, body = '', headers: Readonly<Record<string, string>> = {}): Answer =>
  () =>
    new Response(body, { status, headers })

/** Puts a page in the place of this process' globals, until `vi.unstubAllGlobals`. */
export function openPage(address = '/orders?page=2#top'): Page {
  const answers = new Map<string, readonly Answer[]>()
  const requests: SentRequest[] = []
  const left: string[] = []
  const forms: { method: string; action: string }[] = []
  const { pathname, search, hash } = new URL(address, origin)
  const fakeDocument = Object.assign(new EventTarget(), {
    visibilityState: 'visible',
    baseURI: origin + address,
    hasFocus: () => hasFocus,
    createElement: () => ({
      method: '',
      action: '',
      submit() {
        forms.push({ method: this.method, action: this.action })
      },
    }),
    body: { append: () => undefined },
  })
  let hasFocus = true
  const fakeWindow = new EventTarget()
  const locks = createLocks()
  vi.stubGlobal('navigator', { locks: { request: locks.request } })
  vi.stubGlobal('document', fakeDocument)
  vi.stubGlobal('addEventListener', fakeWindow.addEventListener.bind(fakeWindow))
  vi.stubGlobal('location', {
    origin,
    href: origin + address,
    pathname,
    search,
    hash,
    assign: (path: string) => void left.push(path),
  })
  vi.stubGlobal('sessionStorage', createStorage())
  vi.stubGlobal('localStorage', createStorage())
  vi.stubGlobal('fetch', async (input: string | Request, init?: RequestInit): Promise<Response> => {
    const request = new Request(input instanceof Request ? input : new URL(input, origin), init)
    const { pathname: path, origin: target } = new URL(request.url)
    const key = target === origin ? path : request.url
    const sent = { method: request.method, path: key, headers: request.headers, body: await request.text() }
    requests.push(sent)
    const [first, ...others] = answers.get(key) ?? []
    if (first === undefined) throw new TypeError(`nothing answers ${key}`)
    if (others.length > 0) answers.set(key, others)
    return first(sent)
  })
  return {
    requests,
    left,
    forms,
    answer: (path, ...given) => void answers.set(path, given),
    show(isVisible) {
      fakeDocument.visibilityState = isVisible ? 'visible' : 'hidden'
      fakeDocument.dispatchEvent(new Event('visibilitychange'))
    },
    comeBack: () => void fakeWindow.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true })),
    focus() {
      hasFocus = true
      fakeWindow.dispatchEvent(new Event('focus'))
    },
    blur() {
      hasFocus = false
    },
    setBase(base) {
      fakeDocument.baseURI = new URL(base, origin).href
    },
    dropLock: locks.drop,
  }
}

function createStorage(): Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> {
  const items = new Map<string, string>()
  return {
    getItem: (name) => items.get(name) ?? null,
    setItem: (name, value) => void items.set(name, value),
    removeItem: (name) => void items.delete(name),
  }
}

/** Web Locks of one name; a process would share them between tests. */
function createLocks() {
  const queue: (() => void)[] = []
  let isHeld = false
  const drop = (): void => {
    const next = queue.shift()
    isHeld = next !== undefined
    next?.()
  }
  const request = async <Result>(_name: string, work: () => Promise<Result>): Promise<Result> => {
    if (isHeld) await new Promise<void>((resolve) => queue.push(resolve))
    isHeld = true
    return await work().finally(drop)
  }
  return { request, drop }
}

/**
 * Resolves when messages that tabs have sent each other were received and answered: ones sent later have arrived by then, several times.
 *
 * @param breathe lets timers and promises run
 */
export async function messagesArrived(
  breathe: () => Promise<unknown> = async () => undefined,
): Promise<void> {
  const sender = new BroadcastChannel('test-only')
  const receiver = new BroadcastChannel('test-only')
  for (let round = 0; round < 3; round += 1) {
    const heard = new Promise<void>((resolve) => {
      receiver.onmessage = () => resolve()
    })
    sender.postMessage('')
    await heard
    await breathe()
  }
  sender.close()
  receiver.close()
}
