/** Whether a path is a prefix or lies beneath it, by whole segments; the prefix does not end in a slash. */
export function isBeneath(path: string, prefix: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`)
}
