'use client'

/**
 * `coatcheck/react`: who is signed in, as React sees it. One store for all components of a page, which may be rendered on a server too: there
 * everybody is still `loading`.
 */

export { useSession, useTimeLeft } from './hooks.ts'
export { CoatcheckProvider, useCoatcheck } from './provider.ts'
export { RequireSession, type RequireSessionProps } from './require-session.ts'
