import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** Length of the kernel's tick, in which it accounts processor time. */
const tickMs = 1_000 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
/** Position of `utime` behind the command's name, which may itself hold blanks (proc(5)). */
const utimeIndex = 11

/** A process and its children, such as the workers of a gateway. */
function family(pid: number): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return [pid, ...children.split(' ').filter(Boolean).map(Number)]
}

function sum(pids: readonly number[], of: (pid: number) => number): number {
  return pids.reduce((total, pid) => total + of(pid), 0)
}

/** Processor time that a process and its children have used so far, user and system, milliseconds. */
export function cpuMs(pid: number): number {
  return sum(family(pid), (each) => {
    const stat = readFileSync(`/proc/${each}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[utimeIndex]) + Number(fields[utimeIndex + 1])) * tickMs
  })
}

/** TCP connections to a port of this machine that a process and its children hold open. */
export function connectionsTo(port: number, pid: number): number {
  const held = new Set(family(pid).flatMap(socketsOf))
  const remotePort = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const lines = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1)
  return lines.filter((line) => {
    const fields = line.trim().split(/\s+/)
    const [remote = '', state, inode = ''] = [fields[2], fields[3], fields[inodeIndex]]
    return state === established && remote.endsWith(remotePort) && held.has(inode)
  }).length
}

/** Columns and values of `/proc/net/tcp` (proc(5)). */
const inodeIndex = 9
const established = '01'

function socketsOf(pid: number): readonly string[] {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder).flatMap((name) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`${folder}/${name}`))?.[1] ?? []
    } catch {
      // It was closed meanwhile.
      return []
    }
  })
}

/** Memory that a process and its children hold now (resident sets), MB. */
export function residentMb(pid: number): number {
  return sum(family(pid), (each) => {
    const kb = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${each}/status`, 'utf8'))?.[1]
    return Number(kb) / 1_024
  })
}
