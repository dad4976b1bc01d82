import { readEnvironment } from './commands/environment.ts'
import { main } from './commands/main.ts'

process.exitCode = await main({
  arguments: process.argv.slice(2),
  readEnv: () => readEnvironment(process.env),
  print: (line) => process.stdout.write(`${line}\n`),
  complain: (line) => process.stderr.write(`${line}\n`),
  isTerminal: process.stdout.isTTY === true,
})
