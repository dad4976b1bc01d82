import { writeFileSync } from 'node:fs'

/**
 * Loaded into gateways whose memory is measured: at SIGUSR2 everything that can go goes, and what is left is written to the file that the
 * query names. Needs `--expose-gc`.
 */
const file = new URL(import.meta.url).searchParams.get('file') ?? ''

process.on('SIGUSR2', () => {
  for (let turn = 0; turn < 3; turn += 1) globalThis.gc?.()
  const { heapUsed, external, rss } = process.memoryUsage()
  writeFileSync(
    `${file}.${process.pid}`,
    JSON.stringify({ heldBytes: heapUsed + external, residentBytes: rss }),
  )
})
