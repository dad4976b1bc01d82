import { join } from 'node:path'

/** Where a gateway that loads `heap-on-signal.ts` writes; its process id follows. */
export function heapFile(folder: string): string {
  return join(folder, 'heap')
}
