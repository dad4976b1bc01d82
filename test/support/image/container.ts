import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventually } from '../eventually.ts'
import type { Image } from './images.ts'

/** How an image is run. */
export interface ContainerOptions {
  readonly env?: Readonly<Record<string, string>>
  /** In the place of the image's `CMD`. */
  readonly command?: readonly string[]
  /** In the place of everything: what a health check is. */
  readonly instead?: readonly string[]
  /** Folders of this machine, by where they stand inside. */
  readonly folders?: Readonly<Record<string, string>>
}

/** A process of an image, alone with its own process table, on the network of this machine. */
export interface Container {
  /** Number of the process outside. */
  readonly pid: number
  /** Both streams. */
  output(): string
  /** Its exit code. */
  readonly exited: Promise<number | null>
  signal(signal: NodeJS.Signals): void
  /** SIGTERM, then waits. */
  stop(): Promise<number | null>
}

/**
 * What a container engine does with `--read-only --cap-drop ALL --security-opt no-new-privileges`, by programs that every Debian has: root and folders are
 * bound within a mount table of its own, and the process is the first of a process table of its own.
 */
const script = `
set -e
root=$1 user=$2 folder=$3; shift 3
mount --bind "$root" "$root"
mount --bind /dev "$root/dev"
mount -t proc proc "$root/proc"
[ -e "$root/etc/hosts" ] || : > "$root/etc/hosts"
mount --bind /etc/hosts "$root/etc/hosts"
while [ "$1" != -- ]; do mount --bind "$1" "$root$2"; shift 2; done
shift
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs chroot --userspec="$user" --groups= "$root" /bin/sh -c 'cd "$0" && exec "$@"' "$folder" "$@"
`

/** Starts a process of an image; as root alone. */
export async function startContainer(
  { root, config }: Image,
  { env = {}, command, instead, folders = {} }: ContainerOptions = {},
): Promise<Container> {
  const binds = Object.entries(folders).flatMap(([inside, outside]) => {
    mkdirSync(join(root, inside), { recursive: true })
    return [outside, inside]
  })
  const args = instead ?? [...config.Entrypoint, ...(command ?? config.Cmd ?? [])]
  const child = spawn(
    'unshare',
    [
      ...['--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private'],
      ...['sh', '-c', script, 'sh', root, config.User, config.WorkingDir, ...binds, '--', ...args],
    ],
    { env: { ...toRecord(config.Env), ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  const output = collect(child)
  const pid = await firstChild(child)
  const signal = (name: NodeJS.Signals): void => void process.kill(pid, name)
  return {
    pid,
    output,
    exited,
    signal,
    async stop() {
      if (child.exitCode === null) signal('SIGTERM')
      return exited
    },
  }
}

function toRecord(env: readonly string[]): Record<string, string> {
  return Object.fromEntries(env.map((pair) => [pair.split('=', 1)[0], pair.slice(pair.indexOf('=') + 1)]))
}

function collect(child: ChildProcess): () => string {
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
  return () => text
}

/** `unshare` stays as the parent of what it has started. */
async function firstChild({ pid }: ChildProcess): Promise<number> {
  let first = 0
  await eventually(() => {
    first = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ', 1)[0])
    if (!(first > 0)) throw new Error('nothing was started')
  })
  return first
}

/** Runs the health check of the image inside. Resolves to its exit code. */
export async function checkHealth(
  image: Image,
  env: Readonly<Record<string, string>>,
): Promise<number | null> {
  const [, ...instead] = image.config.Healthcheck?.Test ?? []
  return (await startContainer(image, { env, instead })).exited
}
