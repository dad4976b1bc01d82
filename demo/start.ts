import { startDemo } from './demo.ts'
import { people } from './world.ts'

// Stripping types by hand is still called experimental; nobody who watches a demo needs to know.
process.removeAllListeners('warning')
process.on('warning', (warning) => {
  if (warning.name !== 'ExperimentalWarning') process.stderr.write(`${warning.stack}\n`)
})

const redisUrl = process.env.REDIS_URL || undefined
const demo = await startDemo({ redisUrl, logLevel: process.env.LOG_LEVEL ?? 'error' })

const lines = [
  '',
  `  Coatcheck demo   ${demo.url}`,
  '',
  '  Sign in as',
  ...people.map(({ name, description }) => `    ${name.padEnd(15)}${description}`),
  '',
  `  Provider         ${demo.provider.issuer}`,
  `  API              ${demo.api.url}   (answers 401 to anybody without a token)`,
  `  Sessions         ${redisUrl === undefined ? 'in memory; set REDIS_URL to keep them in Redis' : 'in Redis'}`,
  '',
  '  Ctrl-C stops everything.',
  '',
]
process.stdout.write(lines.join('\n'))

let isStopping = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // A second Ctrl-C means: now.
    if (isStopping) process.exit(1)
    isStopping = true
    void demo.stop().then(() => process.stdout.write('\n  Stopped.\n'))
  })
}
