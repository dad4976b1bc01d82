import { readFileSync } from 'node:fs'
import { percentile } from '../report/statistics.ts'
import type { LoadResult } from './load.ts'

/** The lines of a file that a generator is given. */
export function linesOf(file: string): string[] {
  return readFileSync(file, 'utf8').split('\n').filter(Boolean)
}

/** What a generator has counted. */
type Counted = Pick<LoadResult, 'refused' | 'broken' | 'receivedBytes' | 'durationMs'>

/** Prints what came back, as whoever started the generator reads it. */
export function printResult(latenciesMs: readonly number[], counted: Counted): void {
  const result: LoadResult = {
    ...counted,
    requests: latenciesMs.length,
    p50Ms: percentile(latenciesMs, 0.5),
    p99Ms: percentile(latenciesMs, 0.99),
  }
  process.stdout.write(`RESULT ${JSON.stringify(result)}\n`)
}
