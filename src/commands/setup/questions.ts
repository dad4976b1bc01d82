import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'

/** Asks a person at a terminal. */
export interface Ask {
  text(question: string, fallback?: string): Promise<string>
  /** Nothing of the answer is shown. */
  secret(question: string): Promise<string>
  close(): void
}

/** `undefined` where no person is. */
export function createAsk(): Ask | undefined {
  if (process.stdin.isTTY !== true) return undefined
  let isMuted = false
  const output = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (!isMuted) process.stderr.write(chunk)
      done()
    },
  })
  const lines = createInterface({ input: process.stdin, output, terminal: true })
  const ask = async (question: string): Promise<string> => (await lines.question(question)).trim()
  return {
    async text(question, fallback) {
      for (;;) {
        const answer = await ask(fallback === undefined ? `${question}: ` : `${question} [${fallback}]: `)
        if (answer !== '') return answer
        if (fallback !== undefined) return fallback
      }
    },
    async secret(question) {
      process.stderr.write(`${question} (not shown): `)
      isMuted = true
      const answer = await ask('').finally(() => {
        isMuted = false
      })
      process.stderr.write('\n')
      return answer
    },
    close: () => lines.close(),
  }
}
