/** Members of a list that one burst of commands is made for: about a millisecond of work for us and for Redis, and no more. */
export const pieceSize = 80

/** Cuts a list into pieces of at most `size`. */
export function* piecesOf<Item>(items: readonly Item[], size: number = pieceSize): Iterable<readonly Item[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size)
}
