import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

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

/** Memory that a process and its children hold now (resident sets), MB. */
export function residentMb(pid: number): number {
  return sum(family(pid), (each) => {
    const kb = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${each}/status`, 'utf8'))?.[1]
    return Number(kb) / 1_024
  })
}
