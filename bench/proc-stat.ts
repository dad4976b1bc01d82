import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Length of the kernel's tick, in which it accounts processor time. */
const tickMs = 1_000 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
/** Position of `utime` behind the command's name, which may itself hold blanks (proc(5)). */
const utimeIndex = 11

/** Processor time that a process has used so far, user and system, milliseconds. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[utimeIndex]) + Number(fields[utimeIndex + 1])) * tickMs
}

/** Memory that a process holds now (resident set), MB. */
export function residentMb(pid: number): number {
  const kb = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kb) / 1_024
}
