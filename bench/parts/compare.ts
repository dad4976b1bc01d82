import type { Gateway } from '../peers/gateway.ts'
import { type MeasureOptions, measure, type Sample } from './measure.ts'
import type { Scenario } from './scenarios.ts'

/** Samples of one scenario: gateway's name → its rounds, in order. The first gateway is the one that ratios are to. */
export type ScenarioSamples = ReadonlyMap<string, readonly Sample[]>

/**
 * Interleaved rounds: each visits every gateway, forwards and backwards by turns, so that neither a slow minute of the machine
 * nor a place in the row favours anybody. The first round only warms up, unless
 * everything is warm already.
 */
export async function compare(
  scenario: Scenario,
  gateways: readonly Gateway[],
  options: MeasureOptions & { readonly rounds: number; readonly isWarm?: boolean },
): Promise<ScenarioSamples> {
  const samples = new Map<string, Sample[]>(gateways.map(({ name }) => [name, []]))
  for (let round = options.isWarm === true ? 1 : 0; round <= options.rounds; round += 1) {
    for (const gateway of round % 2 === 0 ? gateways : gateways.toReversed()) {
      const sample = await measure(gateway, scenario, options)
      if (round > 0) samples.get(gateway.name)?.push(sample)
    }
    process.stderr.write(`${scenario.name}: round ${round} of ${options.rounds}\n`)
  }
  return samples
}
