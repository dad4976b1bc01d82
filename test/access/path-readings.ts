/** Every way in which some server may read a path: decoded up to six times, backslashes as slashes, parameters dropped. */
export function readings(path: string): readonly string[] {
  const found = [path]
  for (let at = 0; at < 6; at += 1) {
    const last = found.at(-1) ?? ''
    found.push(
      last.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    )
  }
  return found
    .flatMap((each) => [each, each.replaceAll('\\', '/')])
    .flatMap((each) => [each, each.replace(/;[^/]*/g, '')])
}

/** Whether a path, its dot segments resolved, is outside of the path `root`, or outside of everything. */
export function leaves(path: string, root: string): boolean {
  const depths: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') {
      if (depths.pop() === undefined) return true
    } else if (segment !== '.' && segment !== '') depths.push(segment)
  }
  return !`/${depths.join('/')}/`.startsWith(`${root}/`)
}
