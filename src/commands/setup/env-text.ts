import type { Environment } from '../../config/environment.ts'

/** Settings as the lines of a `.env`. What a reader could take for a comment or for quotes is quoted. */
export function envText(env: Environment): string {
  return Object.entries(env)
    .filter(([, value]) => value !== undefined)
    .map(([name, value = '']) => `${name}=${quoted(value)}\n`)
    .join('')
}

function quoted(value: string): string {
  if (!/[#'"`\\]|^\s|\s$/.test(value)) return value
  const quote = ["'", '"', '`'].find((candidate) => !value.includes(candidate)) ?? "'"
  return `${quote}${value}${quote}`
}
