import { addressesAtProvider } from '../config/endpoints.ts'
import type { Environment } from '../config/environment.ts'
import { hasFrontendsFile } from '../config/frontends/load-house.ts'
import { type Config, type EffectiveSetting, effectiveSettings } from '../config/load-config.ts'
import { findLookalikes } from '../config/lookalikes.ts'
import type { RouteConfig } from '../config/routes/route.ts'
import { settingGroups } from '../config/settings/settings.ts'
import { configWarnings } from '../config/warnings.ts'
import { chosenConfigs, chosenEnvironment, takeFrontend } from './chosen-config.ts'
import { type CommandContext, expectNoArguments } from './command.ts'

const mask = '********'

/**
 * `coatcheck config`: every setting as it is in effect and where it comes from. Then it is checked as `start` would. With several frontends,
 * those of each.
 *
 * @throws UsageError, CommandError, ConfigError
 */
export async function run(context: CommandContext): Promise<number> {
  const { frontend, rest } = takeFrontend(context.arguments)
  expectNoArguments({ arguments: rest })
  for (const warning of findLookalikes(context.env)) context.complain(`warning: ${warning}`)
  if (hasFrontendsFile(context.env)) {
    for (const config of chosenConfigs(context.env, frontend)) {
      context.print(`## Frontend ${config.frontend}`)
      printSettings(context, chosenEnvironment(context.env, config))
      printRoutes(context, config)
    }
    return 0
  }
  // Before anything is wrong, so that what is wrong can be looked up.
  printSettings(context, context.env)
  const [config] = chosenConfigs(context.env, frontend)
  printRoutes(context, config)
  return 0
}

function printSettings({ print }: CommandContext, env: Environment): void {
  const effective = new Map(effectiveSettings(env).map((one) => [one.name, one]))
  for (const { title, rows } of settingGroups) {
    print(`# ${title}`)
    for (const name of Object.keys(rows)) {
      const setting = effective.get(name)
      if (setting !== undefined) print(describeEffective(setting))
    }
    print('')
  }
}

function printRoutes(context: CommandContext, config: Config): void {
  for (const warning of configWarnings(config)) context.complain(`warning: ${warning}`)
  const { callback, logout, backchannelLogout } = addressesAtProvider(config)
  context.print('# To be registered at the provider')
  context.print(`# callback             ${callback}`)
  context.print(`# after the sign-out   ${logout}`)
  context.print(`# back-channel logout  ${backchannelLogout}`)
  context.print('')
  context.print('# Routes')
  for (const route of config.routes) context.print(`# ${describeRoute(route)}`)
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
  return `${prefix} → ${upstream === 'external' ? upstream : upstream.href} (auth ${auth}${token})`
}
