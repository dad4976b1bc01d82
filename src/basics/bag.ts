/** The place of what is in no bag. */
export const nowhere = -1

/** Something that can be in one {@link Bag} at a time. */
export interface Bagged {
  /** Where it stands in its bag, or {@link nowhere}. Kept by the bag. */
  place: number
}

/**
 * Things that come and go fast, in no order. A list and not a `Set`, the old tables of which keep what was in the newer ones alive
 * (docs/performance.md).
 */
export class Bag<Item extends Bagged> {
  readonly #items: Item[] = []

  get size(): number {
    return this.#items.length
  }

  /** @throws TypeError for what is in a bag already */
  add(item: Item): void {
    if (item.place !== nowhere) throw new TypeError('it is in a bag already')
    item.place = this.#items.push(item) - 1
  }

  /** Takes it out; the last one moves into its place. Returns false, and does nothing, for what is not in this bag. */
  delete(item: Item): boolean {
    const { place } = item
    if (this.#items[place] !== item) return false
    item.place = nowhere
    const last = this.#items.pop()
    if (last === undefined || last === item) return true
    this.#items[place] = last
    last.place = place
    return true
  }

  /**
   * From the end, so that each may be taken out while it is visited: what moves into its place was visited already.
   *
   * @param each takes out no other than the one it is given; what is put in meanwhile is not visited
   */
  visit(each: (item: Item) => void): void {
    for (let place = this.#items.length - 1; place >= 0; place -= 1) {
      const item = this.#items[place]
      if (item !== undefined) each(item)
    }
  }
}
