/** A login takes a person about so long; a tab that waits for another one's goes on after it, milliseconds. */
const patienceMs = 60_000

/**
 * Which tab may leave for the login page by itself: one that a person sees, and none while another tab is away signing in. Web Locks
 * cannot say the latter, because a lock goes with its page.
 */
export class LoginTurn {
  readonly #closing = new AbortController()
  readonly #wakers = new Set<() => void>()
  #otherUntilMs = 0
  #signedIn = false

  constructor() {
    const { signal } = this.#closing
    document.addEventListener('visibilitychange', () => this.#wake(), { signal })
    // Whoever turns to this window does not wait for the other one.
    addEventListener('focus', () => this.#forgetOther(), { signal })
  }

  /** Another tab leaves for the login page. */
  otherLeft(): void {
    this.#otherUntilMs = Date.now() + patienceMs
    this.#signedIn = false
  }

  /** Another tab is signed in. */
  otherSignedIn(): void {
    this.#signedIn = true
    this.#forgetOther()
  }

  /** Whether this tab may leave now. */
  isOurs(): boolean {
    return document.visibilityState === 'visible' && Date.now() >= this.#otherUntilMs
  }

  /** Resolves when this tab may leave, or when another one has signed in meanwhile. */
  async come(): Promise<void> {
    this.#signedIn = false
    while (!this.isOurs() && !this.#signedIn && !this.#closing.signal.aborted) await this.#change()
  }

  close(): void {
    this.#closing.abort()
    this.#wake()
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      const leftMs = this.#otherUntilMs - Date.now()
      const timer = leftMs > 0 ? setTimeout(() => this.#wake(), leftMs) : undefined
      this.#wakers.add(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  #forgetOther(): void {
    this.#otherUntilMs = 0
    this.#wake()
  }

  #wake(): void {
    const wakers = [...this.#wakers]
    this.#wakers.clear()
    for (const waker of wakers) waker()
  }
}
