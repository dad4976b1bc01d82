import type { Environment } from './environment.ts'
import { hasFileForm } from './setting.ts'
import { settingRows } from './settings.ts'

/** Names shorter than this are a letter or two away from many honest variables: HOST and HOME. */
const longNameLength = 9

/** Levenshtein distance, given up (as `limit + 1`) once it exceeds the limit. */
function editDistance(one: string, other: string, limit: number): number {
  if (Math.abs(one.length - other.length) > limit) return limit + 1
  let previous = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let row = 1; row <= one.length; row++) {
    const current = [row]
    for (let column = 1; column <= other.length; column++) {
      const substitution = (previous[column - 1] ?? 0) + (one[row - 1] === other[column - 1] ? 0 : 1)
      current.push(Math.min(substitution, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    previous = current
  }
  return previous.at(-1) ?? 0
}

const squash = (name: string): string => name.toUpperCase().replaceAll(/[_-]/g, '')

function nearlyMatches(name: string, settingName: string): boolean {
  if (squash(name) === squash(settingName)) return true
  const limit = settingName.length < longNameLength ? 1 : 2
  return editDistance(name, settingName, limit) <= limit
}

const knownNames: readonly string[] = settingRows.flatMap(([name, setting]) =>
  hasFileForm(setting) ? [name, `${name}_FILE`] : [name],
)

function intendedName(name: string): string | undefined {
  if (knownNames.includes(name)) return undefined
  const mistaken = settingRows.find(([, setting]) => setting.mistakenFor?.includes(name))
  return mistaken?.[0] ?? knownNames.find((known) => nearlyMatches(name, known))
}

/**
 * Variables that nearly match one of our settings and therefore do nothing, as one line each. Pure; never shows a value.
 */
export function findLookalikes(env: Environment): readonly string[] {
  return Object.keys(env).flatMap((name) => {
    const intended = intendedName(name)
    return intended === undefined
      ? []
      : [`${name} is not a setting and does nothing; did you mean ${intended}?`]
  })
}
