import { editDistance } from './edit-distance.ts'
import type { Environment } from './environment.ts'
import { formsOf } from './settings/setting.ts'
import { settingRows } from './settings/settings.ts'

/** Names shorter than this are a letter or two away from many honest variables: HOST and HOME. */
const longNameLength = 9

const squash = (name: string): string => name.toUpperCase().replaceAll(/[_-]/g, '')

function nearlyMatches(name: string, settingName: string): boolean {
  if (squash(name) === squash(settingName)) return true
  const limit = settingName.length < longNameLength ? 1 : 2
  return editDistance(name, settingName, limit) <= limit
}

const knownNames: readonly string[] = settingRows.flatMap(([name, setting]) => formsOf(name, setting))

/** Variables of other programs that only look like ours. */
const namesOfOthers: ReadonlySet<string> = new Set(['FTP_PROXY', 'ALL_PROXY'])

/** What Kubernetes and Docker write for a service: `tcp://10.0.0.1:80`. */
export function isServiceAddress(text: string): boolean {
  return /^(?:tcp|udp|sctp):\/\/[\d.:[\]a-f]+$/i.test(text)
}

/** Other programs put their name before their settings; `COATCHECK_PORT` may be Kubernetes' word about a service of ours. */
function withoutOurName(name: string, untrustedText: string): string | undefined {
  const rest = /^COATCHECK_(.+)$/.exec(name)?.[1]
  return rest === undefined || isServiceAddress(untrustedText)
    ? undefined
    : knownNames.find((one) => one === rest)
}

function intendedName(name: string): string | undefined {
  if (knownNames.includes(name) || namesOfOthers.has(name.toUpperCase())) return undefined
  const mistaken = settingRows.find(([, setting]) => setting.mistakenFor?.includes(name))
  return mistaken?.[0] ?? knownNames.find((known) => nearlyMatches(name, known))
}

/** Whether a text stands within quotation marks. */
export function isQuoted(text: string): boolean {
  return /^(["'`])[\s\S]*\1$/.test(text) && text.length > 1
}

/** `docker --env-file` and unit files hand quotation marks on, where `.env` and a shell take them away. */
function quotedSettings(env: Environment): readonly string[] {
  return knownNames.flatMap((name) =>
    isQuoted(env[name]?.trim() ?? '')
      ? [
          `${name} begins and ends with quotation marks, which count as part of it; docker --env-file keeps them: leave them out`,
        ]
      : [],
  )
}

/**
 * Variables that nearly match one of our settings and therefore do nothing, and values within quotation marks, as one line each. Pure;
 * never shows a value.
 */
export function findLookalikes(env: Environment): readonly string[] {
  const misspelt = Object.keys(env).flatMap((name) => {
    const intended = withoutOurName(name, env[name]?.trim() ?? '') ?? intendedName(name)
    return intended === undefined
      ? []
      : [`${name} is not a setting and does nothing; did you mean ${intended}?`]
  })
  return [...misspelt, ...quotedSettings(env)]
}
