import { remember, remembered } from './page-storage.ts'

/** A login takes a person about so long; a tab that waits for another one's goes on after it, milliseconds. */
const patienceMs = 60_000

/** When a tab last left for the login page, epoch milliseconds: a page that was made after that has not heard it. */
const storageKey = 'coatcheck:signing-in'

/**
 * Which tab may leave for the login page by itself: one that a person sees, and none while another tab is away signing in. Web Locks
 * cannot say the latter, because a lock goes with its page.
 */
export class LoginTurn {
  readonly #closing = new AbortController()
  readonly #wakers = new Set<() => void>()
  #otherLeftMs = 0
  /** Who left until then is not waited for, epoch milliseconds; a page that a person looks at when it is made waits for none. */
  #forgottenMs = document.hasFocus() ? Date.now() : 0
  #signedIn = false

  constructor() {
    const { signal } = this.#closing
    document.addEventListener('visibilitychange', () => this.#wake(), { signal })
    // Whoever turns to this window does not wait for the other one.
    addEventListener('focus', () => this.#forgetOther(), { signal })
  }

  /** This tab leaves for the login page. */
  weLeave(): void {
    this.#forgottenMs = Date.now()
    remember('localStorage', storageKey, String(this.#forgottenMs))
  }

  /** This tab knows that somebody is signed in: no tab is away any more. */
  weAreSignedIn(): void {
    remember('localStorage', storageKey, undefined)
  }

  /** Whether the helper was closed: nobody waits for it any more. */
  get isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  /** Another tab leaves for the login page. */
  otherLeft(): void {
    this.#otherLeftMs = Date.now()
    this.#signedIn = false
  }

  /** Another tab is signed in. */
  otherSignedIn(): void {
    this.#signedIn = true
    this.#forgetOther()
  }

  /** Whether this tab may leave now. */
  isOurs(): boolean {
    return document.visibilityState === 'visible' && this.#waitMs() <= 0
  }

  /** Resolves when this tab may leave, or when another one has signed in meanwhile. */
  async come(): Promise<void> {
    this.#signedIn = false
    while (!this.isClosed && !this.isOurs() && !this.#signedIn) await this.#change()
  }

  close(): void {
    this.#closing.abort()
    this.#wake()
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      const waitMs = this.#waitMs()
      const timer = waitMs > 0 ? setTimeout(() => this.#wake(), waitMs) : undefined
      this.#wakers.add(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  #forgetOther(): void {
    this.#otherLeftMs = 0
    this.#forgottenMs = Date.now()
    this.#wake()
  }

  /** How long another tab's login is still waited for, milliseconds. */
  #waitMs(): number {
    const nowMs = Date.now()
    const notedMs = Number(remembered('localStorage', storageKey) ?? 0)
    const isNews = notedMs > this.#forgottenMs && notedMs <= nowMs
    const leftMs = Math.max(this.#otherLeftMs, isNews ? notedMs : 0)
    // A clock that was set back makes nobody wait for longer.
    return leftMs > nowMs ? 0 : leftMs + patienceMs - nowMs
  }

  #wake(): void {
    const wakers = [...this.#wakers]
    this.#wakers.clear()
    for (const waker of wakers) waker()
  }
}
