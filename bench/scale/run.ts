import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Section } from '../report/page.ts'

/** The scripts of this folder: each prints its part of the results page, and can be run alone. */
const scripts = [
  { file: 'sessions.ts', title: 'Sessions in Redis and in the cache' },
  { file: 'hit-rate.ts', title: 'Cache size against hit rate' },
  { file: 'refresh-storm.ts', title: 'A refresh storm' },
  { file: 'idle-streams.ts', title: 'Idle streams in memory' },
] as const

/** A script that takes longer than this hangs, milliseconds. */
const limitMs = 6 * 60_000

/** Runs all of them, one after the other, each in a process of its own. */
export async function runScale(): Promise<readonly Section[]> {
  const sections: Section[] = []
  for (const { file, title } of scripts) sections.push({ title, body: await runScript(file) })
  return sections
}

/** @throws Error when a script fails: its numbers are not worth anything then */
async function runScript(file: string): Promise<string> {
  const path = fileURLToPath(new URL(file, import.meta.url))
  const child = spawn(process.execPath, ['--expose-gc', path], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: limitMs,
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const code = await new Promise((resolve, reject) => child.once('close', resolve).once('error', reject))
  if (code !== 0) throw new Error(`${file} ended with ${String(code)}`)
  return output
}
