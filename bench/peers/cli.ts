import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The command line of this tree. */
export const cliPath = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

const { BENCH_OTHER_TREE: otherTree = '' } = process.env

/**
 * The command line of another tree, such as the revision before a change, to be compared with this one in the same run: `BENCH_OTHER_TREE` is its
 * folder. `undefined` without it.
 */
export const otherCliPath = otherTree === '' ? undefined : join(resolve(otherTree), 'src/cli.ts')
