import type { Metric, Registry } from 'prom-client'
import type { Series } from './series.ts'

/** A sample as prom-client’s registries and aggregation exchange them. */
export interface Sample {
  readonly value: number
  readonly labels: Readonly<Record<string, string | number>>
  readonly metricName?: string
}

/** Seconds; a gateway’s own share is a millisecond or less, an API’s anything up to its timeout. */
const bucketBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const

/**
 * One combination of label values, found once and then only added to. prom-client’s own children build and hash a label text at
 * every observation, which costs fifty times as much and shows on the fast path.
 */
export class Counter {
  value = 0

  add(amount = 1): void {
    this.value += amount
  }
}

/** A distribution of durations for one combination of label values. */
export class Durations {
  /** One count for each bound and one for everything longer; not cumulative. */
  readonly #counts = new Float64Array(bucketBounds.length + 1)
  #sum = 0

  observe(seconds: number): void {
    let at = 0
    while (at < bucketBounds.length && seconds > (bucketBounds[at] ?? 0)) at += 1
    this.#counts[at] = (this.#counts[at] ?? 0) + 1
    this.#sum += seconds
  }

  samples(name: string, labels: Readonly<Record<string, string>>): readonly Sample[] {
    let count = 0
    const buckets = [...bucketBounds, '+Inf' as const].map((le, at) => {
      count += this.#counts[at] ?? 0
      return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count }
    })
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: this.#sum },
      { metricName: `${name}_count`, labels, value: count },
    ]
  }
}

/** One series, and whoever counts in it. */
export class Family<Child extends Counter | Durations> {
  readonly #series: Series
  readonly #create: () => Child
  readonly #members: FamilyMember<Child>[] = []

  constructor(registry: Registry, series: Series, create: () => Child) {
    this.#series = series
    this.#create = create
    register(registry, series, () => this.#members.flatMap((member) => member.samples()))
  }

  /** Somebody who counts in the series, told apart by these labels. */
  join(fixedLabels: Readonly<Record<string, string>>): FamilyMember<Child> {
    const member = new FamilyMember(this.#series, this.#create, fixedLabels)
    this.#members.push(member)
    return member
  }
}

/** All combinations of label values of one series. */
class FamilyMember<Child extends Counter | Durations> {
  readonly #series: Series
  readonly #create: () => Child
  readonly #fixedLabels: Readonly<Record<string, string>>
  readonly #children: { readonly labels: Readonly<Record<string, string>>; readonly child: Child }[] = []
  readonly #byValue = new Map<string, Child | Map<string, Child>>()

  constructor(series: Series, create: () => Child, fixedLabels: Readonly<Record<string, string>>) {
    this.#series = series
    this.#create = create
    this.#fixedLabels = fixedLabels
  }

  samples(): readonly Sample[] {
    return this.#children.flatMap(({ labels, child }) => this.#sample(labels, child))
  }

  /** The child of a series without labels, or with one. Allocates nothing for values that it has seen. */
  of(value?: string): Child {
    const found = this.#byValue.get(value ?? '')
    if (found !== undefined && !(found instanceof Map)) return found
    const child = this.#add(value === undefined ? [] : [value])
    this.#byValue.set(value ?? '', child)
    return child
  }

  /** The child of a series with two labels. */
  ofTwo(first: string, second: string): Child {
    let seconds = this.#byValue.get(first)
    if (!(seconds instanceof Map)) {
      seconds = new Map()
      this.#byValue.set(first, seconds)
    }
    const found = seconds.get(second)
    if (found !== undefined) return found
    const child = this.#add([first, second])
    seconds.set(second, child)
    return child
  }

  #add(values: readonly string[]): Child {
    const names = Object.keys(this.#series.labels)
    const own = Object.fromEntries(names.map((name, at) => [name, values[at] ?? '']))
    const labels = { ...this.#fixedLabels, ...own }
    const child = this.#create()
    this.#children.push({ labels, child })
    return child
  }

  #sample(labels: Readonly<Record<string, string>>, child: Child): readonly Sample[] {
    return child instanceof Durations
      ? child.samples(this.#series.name, labels)
      : [{ labels, value: child.value }]
  }
}

/**
 * Registers a series whose samples are read at each scrape.
 *
 * @param read what the series holds now
 */
export function register(
  registry: Registry,
  { name, help, kind }: Series,
  read: () => readonly Sample[] | Promise<readonly Sample[]>,
): void {
  const metric = {
    name,
    get: async () => ({ name, help, type: kind, values: await read(), aggregator: 'sum' }),
  }
  // A registry asks of a metric no more than its name and `get`: prom-client registers its own aggregates in this form.
  registry.registerMetric(metric as unknown as Metric)
}
