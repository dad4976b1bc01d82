/** Something that can be in one {@link Bag}. */
export interface Bagged {
  /** Where it stands in its bag; negative while it is in none. Kept by the bag. */
  place: number
}

/**
 * Things that come and go fast, in no order. A list and not a `Set`: when a set grows over its deleted entries, V8 lets the old table refer to the
 * new one, and once an old table has reached the old generation everything that was ever in the chain behind it survives until the next
 * major collection.
 */
export class Bag<Item extends Bagged> {
  readonly #items: Item[] = []

  get size(): number {
    return this.#items.length
  }

  /** @param item is in no bag */
  add(item: Item): void {
    item.place = this.#items.push(item) - 1
  }

  /** The last one moves into its place. Does nothing for what is not there. */
  delete(item: Item): void {
    const { place } = item
    if (place < 0) return
    item.place = -1
    const last = this.#items.pop()
    if (last === undefined || last === item) return
    this.#items[place] = last
    last.place = place
  }

  /** From the end, because one that is taken out meanwhile leaves its place to one that was visited already. */
  visit(each: (item: Item) => void): void {
    for (let place = this.#items.length - 1; place >= 0; place -= 1) {
      const item = this.#items[place]
      if (item !== undefined) each(item)
    }
  }
}
