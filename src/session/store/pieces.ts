/** Members of a list that one burst of commands is made for: some milliseconds of work for us and for Redis, and no more. */
export const pieceSize = 250

/** Cuts a list into pieces of at most `size`. */
export function* piecesOf<Item>(items: readonly Item[], size: number = pieceSize): Iterable<readonly Item[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size)
}

/**
 * Works on a list piece by piece: what belongs to one piece runs side by side, and all others get their turn between two pieces.
 *
 * @returns the results in the order of the items
 */
export async function inPieces<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = []
  for (const piece of piecesOf(items)) results.push(...(await Promise.all(piece.map(work))))
  return results
}
