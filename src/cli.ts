import { readEnvironment } from './commands/environment.ts'
import { main } from './commands/main.ts'

// A reader that goes, as `head` does, has seen enough; it is no fault to report.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

const exitCode = await main({
  arguments: process.argv.slice(2),
  readEnv: () => readEnvironment(process.env),
  print: (line) => process.stdout.write(`${line}\n`),
  complain: (line) => process.stderr.write(`${line}\n`),
  isTerminal: process.stdout.isTTY === true,
})

// A command that failed ends here and now: half-open resources, or a worker's channel to its supervisor, would keep the process alive.
if (exitCode !== 0) process.exit(exitCode)
