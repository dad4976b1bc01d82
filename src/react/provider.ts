import { createContext, createElement, type ReactElement, type ReactNode, useContext, useState } from 'react'
import { type Coatcheck, createCoatcheck, type UserClaims } from '../client/client.ts'
import { createSessionStore, type SessionStore } from '../client/session-store.ts'
import { createTimeLeftStore, type TimeLeftStore } from './time-left-store.ts'

/** What the hooks share. */
export interface Shared {
  readonly coatcheck: Coatcheck<object>
  readonly session: SessionStore<object>
  readonly timeLeft: TimeLeftStore
}

const SharedContext = createContext<Shared | undefined>(undefined)

/** One for each helper, so that no two components ask twice, whatever renders them again. */
const sharedBy = new WeakMap<Coatcheck<object>, Shared>()

function shareOf(coatcheck: Coatcheck<object>): Shared {
  const known = sharedBy.get(coatcheck)
  if (known !== undefined) return known
  const made = {
    coatcheck,
    session: createSessionStore(coatcheck),
    timeLeft: createTimeLeftStore(coatcheck),
  }
  sharedBy.set(coatcheck, made)
  return made
}

/**
 * Put once around the app.
 *
 * @param props.coatcheck what `createCoatcheck` returned; without it one is made, for a gateway without `AUTH_PREFIX`
 */
export function CoatcheckProvider({
  coatcheck,
  children,
}: {
  /** Of whatever claims: the hooks say which they expect. */
  readonly coatcheck?: Coatcheck<object>
  readonly children?: ReactNode
}): ReactElement {
  const [own] = useState(() => coatcheck ?? createCoatcheck())
  const shared = shareOf(coatcheck ?? own)
  return createElement(SharedContext.Provider, { value: shared }, children)
}

/** @throws Error outside of a `CoatcheckProvider` */
export function useShared(): Shared {
  const shared = useContext(SharedContext)
  if (shared === undefined) throw new Error('coatcheck/react: put a <CoatcheckProvider> around the app.')
  return shared
}

/** The helper itself, for `login`, `logout`, `apiFetch` and the like. */
export function useCoatcheck<Claims extends object = UserClaims>(): Coatcheck<Claims> {
  return useShared().coatcheck as Coatcheck<Claims>
}
