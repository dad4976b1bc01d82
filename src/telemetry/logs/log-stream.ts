import { type DestinationStream, pino } from 'pino'

/** A destination that gathers lines and writes them in blocks. */
export interface BlockStream extends DestinationStream {
  /** Writes what was gathered, at once. */
  flush(): void
}

/** What a block stream writes to; pino's own destination fits. */
interface Sink {
  write(text: string): void
}

/** As much as a pipe takes at once, characters. */
const largestBlock = 32 * 1024

/** Nobody who follows a log notices it, and a busy second is fifty writes instead of twenty thousand, milliseconds. */
const longestWaitMs = 20

/** Lines of these levels are frequent and may wait; all others are written at once, and what was gathered before them. */
const patientPattern = /^\{"level":"(?:info|debug|trace)"/

/**
 * Writes lines in blocks, in their order: a system call for each costs more than the line. A line of level `warn` and above is written
 * at once. The timer keeps the process alive, so that only `process.exit()` and a killed process lose the last moments: flush before the
 * first.
 *
 * @param sink where blocks go; standard output unless told otherwise
 */
export function createBlockStream(sink: Sink = pino.destination({ dest: 1, sync: true })): BlockStream {
  let block = ''
  let timer: NodeJS.Timeout | undefined
  const flush = (): void => {
    clearTimeout(timer)
    timer = undefined
    const text = block
    block = ''
    if (text !== '') sink.write(text)
  }
  return {
    flush,
    write(line) {
      block += line
      if (block.length >= largestBlock || !patientPattern.test(line)) flush()
      else timer ??= setTimeout(flush, longestWaitMs)
    },
  }
}
