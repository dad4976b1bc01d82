import { readFileSync } from 'node:fs'

/** One instruction of a Dockerfile. */
export interface Instruction {
  readonly name: string
  readonly text: string
}

/** A stage: what it starts from, what it is called, what it does. */
export interface Stage {
  readonly base: string
  readonly name: string
  readonly instructions: readonly Instruction[]
}

/** Reads a Dockerfile into its stages. Understands what ours uses: comments, continued lines, named stages. */
export function readDockerfile(path: URL): readonly Stage[] {
  const text = readFileSync(path, 'utf8').replaceAll(/^#.*$/gm, '').replaceAll('\\\n', ' ')
  const instructions = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => ({ name: line.split(' ', 1)[0] ?? '', text: line.slice(line.indexOf(' ') + 1) }))
  const stages: { base: string; name: string; instructions: Instruction[] }[] = []
  for (const instruction of instructions) {
    if (instruction.name === 'FROM') {
      const [base = '', , name = ''] = instruction.text.split(' ')
      stages.push({ base, name, instructions: [] })
    } else stages.at(-1)?.instructions.push(instruction)
  }
  return stages
}

/** What a `COPY` takes, and the stage it takes it from. */
export function readCopy({ text }: Instruction): {
  readonly from: string | undefined
  readonly sources: readonly string[]
} {
  const words = text.split(' ')
  const flag = words.find((word) => word.startsWith('--from='))
  return {
    from: flag?.slice('--from='.length),
    sources: words.filter((word) => !word.startsWith('--')).slice(0, -1),
  }
}
