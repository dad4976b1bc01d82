import type { World } from '../worlds/world.ts'

/** A sample of a scrape. */
export interface ScrapedSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** A scrape of the admin listener. */
export interface Scrape {
  readonly text: string
  readonly samples: readonly ScrapedSample[]
  /** The sum of a series' samples whose labels are these. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number
}

/** The admin listener of a world's gateway, as Prometheus and an orchestrator see it. What it answers is searched for leaks. */
export function adminOf(world: Pick<World, 'collected'>, port: number | string) {
  const get = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`)
    const body = await answer.text()
    world.collected.set(
      `answer of the admin listener to ${path}`,
      `${JSON.stringify([...answer.headers])}${body}`,
    )
    return { status: answer.status, body, headers: answer.headers }
  }
  const scrape = async (): Promise<Scrape> => {
    const { body } = await get('/metrics')
    const samples = parseSamples(body)
    return { text: body, samples, sum: (name, labels = {}) => sumOf(samples, name, labels) }
  }
  return { get, scrape }
}

function sumOf(
  samples: readonly ScrapedSample[],
  name: string,
  wanted: Readonly<Record<string, string>>,
): number {
  return samples
    .filter((sample) => sample.name === name)
    .filter(({ labels }) => Object.entries(wanted).every(([label, value]) => labels[label] === value))
    .reduce((sum, { value }) => sum + value, 0)
}

function parseSamples(text: string): readonly ScrapedSample[] {
  return text.split('\n').flatMap((line) => {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line)
    if (match === null) return []
    const pairs = [...(match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
    const labels = Object.fromEntries(pairs.map(([, label, value]) => [label, value ?? '']))
    return [{ name: match[1] ?? '', labels, value: Number(match[3]) }]
  })
}
