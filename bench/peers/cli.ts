import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The command line of this tree. */
export const cliPath = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

const otherTree = process.env.BENCH_OTHER_TREE

/** The one of another tree, such as the revision before, to be compared in one run; `undefined` unless `BENCH_OTHER_TREE` names its folder. */
export const otherCliPath = otherTree === undefined ? undefined : join(otherTree, 'src/cli.ts')
