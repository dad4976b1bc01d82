import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** A TCP connection of a process, as the system sees it. */
export interface OpenSocket {
  /** As `ss` calls them: `ESTAB`, `CLOSE-WAIT`. */
  readonly state: string
  readonly localPort: number
  readonly remotePort: number
  /** Bytes that the process has not read, and that its peer has not confirmed. */
  readonly unread: number
  readonly unsent: number
}

/** Of Linux, by the number that `/proc/net/tcp` has for each. */
const states: Readonly<Record<string, string>> = {
  '01': 'ESTAB',
  '02': 'SYN-SENT',
  '04': 'FIN-WAIT-1',
  '05': 'FIN-WAIT-2',
  '08': 'CLOSE-WAIT',
  '09': 'LAST-ACK',
  '0A': 'LISTEN',
  '0B': 'CLOSING',
}

/** How many descriptors a process has, where the system tells; 0 elsewhere. */
export function countDescriptors(pid: number): number {
  const folder = `/proc/${pid}/fd`
  return existsSync(folder) ? readdirSync(folder).length : 0
}

/** Its TCP connections over IPv4, where the system tells; listening ones are not among them. */
export function socketsOf(pid: number): readonly OpenSocket[] {
  const folder = `/proc/${pid}/fd`
  if (!existsSync(folder)) return []
  const own = new Set(readdirSync(folder).map((name) => targetOf(`${folder}/${name}`)))
  return readFileSync(`/proc/${pid}/net/tcp`, 'utf8')
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => own.has(`socket:[${fields[9]}]`) && fields[3] !== '0A')
    .map(readSocket)
}

/** One may be closed while they are looked through. */
function targetOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

function readSocket([, local = '', remote = '', state = '', queues = '']: readonly string[]): OpenSocket {
  const hex = (text: string | undefined): number => Number.parseInt(text ?? '', 16)
  const [unsent, unread] = queues.split(':')
  return {
    state: states[state] ?? state,
    localPort: hex(local.split(':')[1]),
    remotePort: hex(remote.split(':')[1]),
    unread: hex(unread),
    unsent: hex(unsent),
  }
}
