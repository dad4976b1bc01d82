import { useSyncExternalStore } from 'react'
import type { TimeLeft, UserClaims } from '../client/client.ts'
import type { SessionStatus } from '../client/session-store.ts'
import { useShared } from './provider.ts'

const loading = { status: 'loading' } as const
const asIfLoading = (): typeof loading => loading
const nothing = (): undefined => undefined

/** Who is signed in. Renders again when that changes, in whichever tab; asks again by itself while the gateway does not say. */
export function useSession<Claims extends object = UserClaims>(): SessionStatus<Claims> {
  const { session } = useShared()
  return useSyncExternalStore(session.subscribe, session.get, asIfLoading) as SessionStatus<Claims>
}

/** What is left of the session, whole seconds; renders again every second. `undefined` while nobody is signed in. */
export function useTimeLeft(): TimeLeft | undefined {
  const { timeLeft } = useShared()
  const left = useSyncExternalStore(timeLeft.subscribe, timeLeft.get, nothing)
  return useSession().status === 'signed-in' ? left : undefined
}
