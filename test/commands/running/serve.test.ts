import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { minimalEnv } from '../../config/fixtures.ts'

const fixture = fileURLToPath(new URL('../fixtures/serve.ts', import.meta.url))
const children = new Set<ChildProcess>()

interface Running {
  readonly child: ChildProcess
  readonly url: string
  readonly output: () => string
  /** Resolves when the output holds the text as often as asked. */
  readonly said: (text: string, times?: number) => Promise<void>
  readonly ended: Promise<number | null>
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function launch(
  env: Readonly<Record<string, string>> = {},
  options: { readonly detached?: boolean } = {},
): Promise<Running> {
  const port = env.PORT ?? String(await freePort())
  const child = spawn(process.execPath, [fixture], {
    env: { ...minimalEnv, PATH: process.env.PATH, PORT: port, DRAIN_DELAY: '0', SHUTDOWN_GRACE: '2', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: options.detached ?? false,
  })
  children.add(child)
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const said = (text: string, times = 1) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (output.split(text).length > times) resolve()
      }
      child.stdout?.on('data', look)
      child.stderr?.on('data', look)
      look()
    })
  const ended = once(child, 'exit').then(([code]: (number | null)[]) => code ?? null)
  return { child, url: `http://127.0.0.1:${port}`, output: () => output, said, ended }
}

const listening = 'the gateway listens'

async function isDraining(url: string): Promise<boolean> {
  const answer: unknown = await (await fetch(`${url}/draining`)).json()
  return typeof answer === 'object' && answer !== null && Reflect.get(answer, 'isDraining') === true
}

/** The processes that a process has begun and not yet buried. */
function workersOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return text === '' ? [] : text.split(' ').map(Number)
}

/** Whether a process still runs; one that its parent has not buried does not. */
function isRunning(pid: number): boolean {
  return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
}

afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
})

describe('one process', () => {
  it('prints what it was told to say once it listens', async () => {
    const gateway = await launch({ AUTH_PREFIX: '/auth' })
    await gateway.said(listening)
    const line =
      gateway
        .output()
        .split('\n')
        .find((one) => one.includes(listening)) ?? '{}'
    expect(JSON.parse(line).paths).toEqual(
      expect.arrayContaining(['/auth/login', '/auth/backchannel-logout', '/livez', '/readyz']),
    )
  })

  it('on SIGTERM drains first, still answering, then finishes what is under way and exits 0', async () => {
    // Long enough for two requests on a busy machine.
    const gateway = await launch({ DRAIN_DELAY: '5' })
    await gateway.said(listening)
    gateway.child.kill('SIGTERM')
    await gateway.said('draining begun')
    expect(await isDraining(gateway.url)).toBe(true)
    const slow = await fetch(`${gateway.url}/slow`)
    expect(await slow.text()).toBe('finished')
    expect(await gateway.ended).toBe(0)
  })

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'on %s while it starts abandons that, and exits 0',
    async (signal) => {
      const gateway = await launch({ SLOW_START: 'yes', DRAIN_DELAY: '600' })
      await gateway.said('starting')
      gateway.child.kill(signal)
      expect(await gateway.ended).toBe(0)
      expect(gateway.output()).not.toContain(listening)
    },
  )

  it('on SIGINT does not wait for the balancer', async () => {
    const gateway = await launch({ DRAIN_DELAY: '60' })
    await gateway.said(listening)
    const slow = fetch(`${gateway.url}/slow`)
    await fetch(`${gateway.url}/draining`)
    gateway.child.kill('SIGINT')
    expect(await (await slow).text()).toBe('finished')
    expect(await gateway.ended).toBe(0)
  })

  it('cuts off what SHUTDOWN_GRACE does not suffice for, and exits 1', async () => {
    const gateway = await launch({ SHUTDOWN_GRACE: '1' })
    await gateway.said(listening)
    const never = fetch(`${gateway.url}/never`).catch(() => 'cut off')
    await fetch(`${gateway.url}/draining`)
    gateway.child.kill('SIGTERM')
    expect(await gateway.ended).toBe(1)
    expect(await never).toBe('cut off')
    expect(gateway.output()).toContain('SHUTDOWN_GRACE is over')
  })

  it('logs a fault in the program and exits 1', async () => {
    const gateway = await launch({ SHUTDOWN_GRACE: '1' })
    await gateway.said(listening)
    const crash = fetch(`${gateway.url}/crash`).catch(() => 'cut off')
    expect(await gateway.ended).toBe(1)
    expect(await crash).toBe('cut off')
    expect(gateway.output()).toContain('uncaught fault')
  })

  it('says in one line that its port is taken, and exits 1', async () => {
    const first = await launch()
    await first.said(listening)
    const second = await launch({ PORT: new URL(first.url).port })
    expect(await second.ended).toBe(1)
    expect(second.output().trim()).toBe(
      `CommandError: 127.0.0.1 port ${new URL(first.url).port} is taken by another process; see PORT and HOST, ADMIN_PORT and ADMIN_HOST, FORWARD_AUTH_PORT and FORWARD_AUTH_HOST`,
    )
  })
})

describe('several workers', () => {
  const workers = { WORKERS: '2', REDIS_URL: 'redis://127.0.0.1:1' }

  it('share the port, and all end well on one SIGTERM to their supervisor', async () => {
    const gateway = await launch(workers)
    await gateway.said(listening, 2)
    const slow = fetch(`${gateway.url}/slow`)
    await fetch(`${gateway.url}/draining`)
    gateway.child.kill('SIGTERM')
    expect(await (await slow).text()).toBe('finished')
    expect(await gateway.ended).toBe(0)
  })

  it.each(['SIGINT', 'SIGHUP'] as const)(
    'take a %s to the whole process group for one, as a terminal sends it',
    async (signal) => {
      const gateway = await launch(workers, { detached: true })
      await gateway.said(listening, 2)
      const slow = fetch(`${gateway.url}/slow`)
      await fetch(`${gateway.url}/draining`)
      process.kill(-(gateway.child.pid ?? 0), signal)
      expect(await (await slow).text()).toBe('finished')
      expect(await gateway.ended).toBe(0)
    },
  )

  it('end well on a SIGHUP to their supervisor where there is no file to be read again, as one process does', async () => {
    const gateway = await launch(workers)
    await gateway.said(listening, 2)
    const slow = fetch(`${gateway.url}/slow`)
    await fetch(`${gateway.url}/draining`)
    gateway.child.kill('SIGHUP')
    expect(await (await slow).text()).toBe('finished')
    expect(await gateway.ended).toBe(0)
  })

  it.each([
    ['to their supervisor', false],
    ['to the whole process group', true],
  ])('that are starting abandon that on a SIGTERM %s: all exit 0, none listens', async (_whom, isGroup) => {
    const gateway = await launch({ ...workers, SLOW_START: 'yes', DRAIN_DELAY: '600' }, { detached: isGroup })
    await gateway.said('starting', 2)
    if (isGroup) process.kill(-(gateway.child.pid ?? 0), 'SIGTERM')
    else gateway.child.kill('SIGTERM')
    expect(await gateway.ended).toBe(0)
    expect(gateway.output()).not.toContain(listening)
  })

  it('that are gone before their supervisor looks at the signal have ended well', async () => {
    const gateway = await launch({ ...workers, SLOW_START: 'yes', DRAIN_DELAY: '600' }, { detached: true })
    await gateway.said('starting', 2)
    const supervisor = gateway.child.pid ?? 0
    gateway.child.kill('SIGSTOP')
    const pids = workersOf(supervisor)
    expect(pids).toHaveLength(2)
    for (const pid of pids) process.kill(pid, 'SIGTERM')
    await vi.waitFor(() => expect(pids.filter(isRunning)).toEqual([]))
    gateway.child.kill('SIGTERM')
    gateway.child.kill('SIGCONT')
    expect(await gateway.ended).toBe(0)
    expect(gateway.output()).not.toContain('fault')
  })

  it('that were only just begun are told, too', async () => {
    const gateway = await launch({ ...workers, SLOW_START: 'yes', DRAIN_DELAY: '600' })
    await gateway.said('workers begin')
    gateway.child.kill('SIGTERM')
    expect(await gateway.ended).toBe(0)
    expect(gateway.output()).not.toContain(listening)
  })

  it('are replaced when they die', async () => {
    const gateway = await launch(workers)
    await gateway.said(listening, 2)
    const pid = Number(await (await fetch(`${gateway.url}/pid`)).text())
    expect(pid).not.toBe(gateway.child.pid)
    process.kill(pid, 'SIGKILL')
    await gateway.said(listening, 3)
    expect(gateway.output()).toContain('a worker died; another takes its place')
    gateway.child.kill('SIGINT')
    expect(await gateway.ended).toBe(0)
  })

  it('end with their supervisor, even when it is killed', async () => {
    const gateway = await launch(workers)
    await gateway.said(listening, 2)
    gateway.child.kill('SIGKILL')
    await once(gateway.child, 'close')
    await expect(fetch(`${gateway.url}/pid`)).rejects.toThrow('fetch failed')
  })

  it('are not tried again and again when none can start', async () => {
    const first = await launch()
    await first.said(listening)
    const second = await launch({ ...workers, PORT: new URL(first.url).port })
    expect(await second.ended).toBe(1)
    expect(second.output()).toContain('is taken by another process')
  })
})
