import { addressesAtProvider } from '../config/endpoints.ts'
import { type EffectiveSetting, effectiveSettings, loadConfig } from '../config/load-config.ts'
import { findLookalikes } from '../config/lookalikes.ts'
import type { RouteConfig } from '../config/routes/route.ts'
import { settingGroups } from '../config/settings/settings.ts'
import { configWarnings } from '../config/warnings.ts'
import { type CommandContext, expectNoArguments } from './command.ts'

const mask = '********'

/**
 * `coatcheck config`: every setting as it is in effect and where it comes from. Then it is checked as `start` would.
 *
 * @throws ConfigError
 */
export async function run(context: CommandContext): Promise<number> {
  expectNoArguments(context)
  const effective = new Map(effectiveSettings(context.env).map((one) => [one.name, one]))
  for (const { title, rows } of settingGroups) {
    context.print(`# ${title}`)
    for (const name of Object.keys(rows)) {
      const setting = effective.get(name)
      if (setting !== undefined) context.print(describeEffective(setting))
    }
    context.print('')
  }
  for (const warning of findLookalikes(context.env)) context.complain(`warning: ${warning}`)
  const config = loadConfig(context.env)
  for (const warning of configWarnings(config)) context.complain(`warning: ${warning}`)
  const { callback, logout, backchannelLogout } = addressesAtProvider(config)
  context.print('# To be registered at the provider')
  context.print(`# callback             ${callback}`)
  context.print(`# after the sign-out   ${logout}`)
  context.print(`# back-channel logout  ${backchannelLogout}`)
  context.print('')
  context.print('# Routes')
  for (const route of config.routes) context.print(`# ${describeRoute(route)}`)
  return 0
}

/** `NAME=text  # source`. Secrets are never shown, not even their length. */
function describeEffective({ name, setting, text, source, isValid }: EffectiveSetting): string {
  if (text === undefined) return `# ${name} is not set`
  if (!isValid) return `# ${name} is wrong`
  return `${name}=${shownText(setting, text)}${source === 'environment' ? '' : `  # ${source}`}`
}

function shownText({ secret, mask: ownMask, unit }: EffectiveSetting['setting'], text: string): string {
  if (ownMask !== undefined) return ownMask(text)
  if (secret === true) return mask
  return unit === 'PEM text' ? '(PEM text)' : text
}

function describeRoute({ prefix, upstream, auth, audience }: RouteConfig): string {
  const token = audience === undefined ? '' : `, audience ${audience.accepted[0] ?? 'unchecked'}`
  return `${prefix} → ${upstream.href} (auth ${auth}${token})`
}
