import type { Shedder } from '../../src/http/limits/overload.ts'

/**
 * Turns nobody away. A gateway in the tests' own process shares its event loop with them, and a machine that is busy with something else makes
 * it late: without this the protection would answer in tests of other things.
 */
export const unhurried: Pick<Shedder, 'share'> = { share: () => 0 }
