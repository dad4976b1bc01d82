import type { Config } from '../config/load-config.ts'
import type { DemoUser } from './provider/options.ts'

/** What of it is shown. */
interface Shown {
  readonly config: Pick<Config, 'baseUrl' | 'spaUrl' | 'spaDir' | 'routes'>
  readonly provider: { readonly issuer: string }
  readonly users: readonly DemoUser[]
  readonly controlUrl: string
}

/** The audiences that the routes name, each once. */
export function audiencesOf(routes: Config['routes']): readonly string[] {
  return [
    ...new Set(routes.flatMap(({ audience }) => (audience?.value === undefined ? [] : [audience.value]))),
  ]
}

/** What a token without rights means to most APIs is a 403, which would look like a fault of the set-up. */
const noPermissions =
  '              without permissions: SCOPE in .env names some (SCOPE=openid profile email offline_access read:orders)'

const permissionsOf = ({ permissions }: DemoUser): readonly string[] => [
  ...new Set(Object.values(permissions).flat()),
]
const hasPermissions = (user: DemoUser): boolean => permissionsOf(user).length > 0
const nameWithPermissions = (user: DemoUser): string =>
  hasPermissions(user) ? `${user.name} (${permissionsOf(user).join(', ')})` : user.name

/** What `coatcheck dev` says once everything runs, line by line. */
export function banner({ config, provider, users, controlUrl }: Shown): readonly string[] {
  return [
    '',
    `  Open        ${config.baseUrl.origin}`,
    `  Sign in as  ${users.map(nameWithPermissions).join(', ')}`,
    ...(users.some(hasPermissions) ? [] : [noPermissions]),
    `  Buttons     ${controlUrl}   (short tokens, sign-out elsewhere, provider down)`,
    '',
    `  The app     ${config.spaUrl?.origin ?? config.spaDir ?? 'none'}`,
    ...config.routes.map(({ prefix, upstream }) => `  ${prefix.padEnd(12)}${upstream}`),
    '',
    '  The API must trust',
    `    issuer    ${provider.issuer}`,
    ...audiencesOf(config.routes).map((audience) => `    audience  ${audience}`),
    '  Programs started by this command find both in ISSUER_URL and API_AUDIENCE.',
    '',
    '  Ctrl-C stops everything.',
    '',
  ]
}
