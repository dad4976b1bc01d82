import { createElement, Fragment, type ReactElement, type ReactNode, useEffect, useState } from 'react'
import { LoginLoopError } from '../client/client.ts'
import { useSession } from './hooks.ts'
import { useCoatcheck } from './provider.ts'

/** Properties of {@link RequireSession}. */
export interface RequireSessionProps {
  /** Shown to whoever is signed in. */
  readonly children?: ReactNode
  /** Shown until it is known, and while the page leaves for the sign-in. */
  readonly fallback?: ReactNode
  /** Shown instead of leaving for the sign-in, for example with a button. */
  readonly signedOut?: ReactNode
  /** Shown while the gateway does not say; default: the fallback. */
  readonly unavailable?: ReactNode
}

/**
 * Shows its children to whoever is signed in, and sends others to the sign-in and back to this page.
 *
 * @throws LoginLoopError while rendering, for an error boundary, when signing in does not last
 */
export function RequireSession(props: RequireSessionProps): ReactElement {
  const { status } = useSession()
  const { children, fallback = null, signedOut, unavailable = fallback } = props
  const isLeaving = status === 'signed-out' && signedOut === undefined
  useLogin(isLeaving)
  const shown = { loading: fallback, unavailable, 'signed-in': children, 'signed-out': signedOut ?? fallback }
  return createElement(Fragment, null, shown[status])
}

/** A pause before the next attempt where the gateway did not answer, milliseconds. */
const retryMs = 5_000

function useLogin(isWanted: boolean): void {
  const coatcheck = useCoatcheck()
  const [loop, setLoop] = useState<LoginLoopError | undefined>(undefined)
  useEffect(() => {
    if (!isWanted) return
    let timer: ReturnType<typeof setTimeout> | undefined
    let isOver = false
    const attempt = (): void => {
      coatcheck.login().catch((error: unknown) => {
        if (isOver) return
        if (error instanceof LoginLoopError) setLoop(error)
        else timer = setTimeout(attempt, retryMs)
      })
    }
    attempt()
    return () => {
      isOver = true
      clearTimeout(timer)
    }
  }, [isWanted, coatcheck])
  if (loop !== undefined && isWanted) throw loop
}
