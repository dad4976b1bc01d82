import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { freePort } from '../../support/ports.ts'

const cliPath = fileURLToPath(new URL('../../../src/cli.ts', import.meta.url))
/** Says so once the start listens to SIGTERM, which is the first thing that it does. */
const tellsOfStart = `data:text/javascript,${encodeURIComponent(
  "process.on('newListener', (name) => name === 'SIGTERM' && queueMicrotask(() => process.stdout.write('begun\\n')))",
)}`

let child: ChildProcess | undefined
let folder = ''

afterEach(async () => {
  child?.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

/** Starts the command, in a folder of its own, with settings that need nobody. */
async function launch(env: Readonly<Record<string, string>>) {
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-start-'))
  const port = `${await freePort()}`
  const base = `http://localhost:${port}`
  const own = { BASE_URL: base, API_URL: 'http://127.0.0.1:1' }
  await writeFile(join(folder, 'frontends.json'), JSON.stringify({ frontends: { shop: own } }))
  const settings = {
    PORT: port,
    ISSUER_URL: 'http://127.0.0.1:1',
    CLIENT_ID: 'client',
    CLIENT_SECRET: 'client-secret',
    API_AUDIENCE: 'https://api.example.com',
    SESSION_SECRET: 'abcdefghijklmnopqrstuvwxyz012345',
    REDIS_URL: 'redis://127.0.0.1:1',
    DRAIN_DELAY: '0',
    NODE_OPTIONS: `--import=${tellsOfStart}`,
    ...(env.FRONTENDS_FILE === undefined ? own : {}),
  }
  const started = spawn(process.execPath, [cliPath, 'start'], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? '', ...settings, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  child = started
  let output = ''
  started.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const ended = once(started, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  return {
    process: started,
    ended,
    said: async (text: string) => {
      while (!output.includes(text) && started.exitCode === null && started.signalCode === null)
        await Promise.race([once(started.stdout, 'data'), ended])
      return output.includes(text)
    },
  }
}

describe('a SIGHUP while the gateway starts', () => {
  it.each(['1', '2'])('has the file read again once it can be, with %s workers', async (workers) => {
    const gateway = await launch({ FRONTENDS_FILE: './frontends.json', WORKERS: workers })
    await gateway.said('begun')
    gateway.process.kill('SIGHUP')
    expect(await gateway.said('the frontends file was read again')).toBe(true)
    expect(await gateway.said('the gateway listens')).toBe(true)
    gateway.process.kill('SIGTERM')
    expect(await gateway.ended).toEqual([0, null])
  })

  it('ends it where there is no such file, and well', async () => {
    const gateway = await launch({})
    await gateway.said('begun')
    gateway.process.kill('SIGHUP')
    expect(await gateway.ended).toEqual([0, null])
  })
})
