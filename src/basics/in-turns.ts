import { setImmediate as nextTurn } from 'node:timers/promises'

/** Items of some dozen microseconds each that one turn of the event loop works on. */
const itemsInTurn = 5

/**
 * Makes of each item what `Array.map` makes of it, a few in each turn of the event loop, so that whoever waits for an answer is served between them.
 * A request is slowed by the longest turn that it meets, not by the sum of them.
 *
 * @param map synchronous work; what it throws rejects, and nothing more is mapped
 */
export async function mapInTurns<Item, Result>(
  items: readonly Item[],
  map: (item: Item, at: number) => Result,
): Promise<readonly Result[]> {
  const results: Result[] = []
  for (const item of items) {
    const at = results.length
    if (at > 0 && at % itemsInTurn === 0) await nextTurn()
    results.push(map(item, at))
  }
  return results
}
