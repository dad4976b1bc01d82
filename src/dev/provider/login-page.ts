import type { Interaction } from 'oidc-provider'
import type { DemoTenant, DemoUser } from './options.ts'
import { escapeHtml, renderPage } from './pages.ts'

/** What of the authorization request is worth seeing: where the audience goes, and where it is missing. */
const shownParameters = ['audience', 'scope', 'redirect_uri', 'code_challenge_method']

/** The login page: one button for each user, nothing to type. */
export function renderLoginPage(tenant: DemoTenant, interaction: Interaction): string {
  return renderPage(
    'Sign in · Demo Identity',
    `<h1>Who are you today?</h1>
<p class="lead">One click signs you in. There are no passwords here.</p>
<form method="post">
<ul>${hintedFirst(tenant.users, interaction.params.login_hint).map(renderUser).join('')}</ul>
<button class="cancel" name="action" value="cancel">Cancel</button>
</form>
<details><summary>What the gateway asked for</summary><dl>${shownParameters.map((name) => renderParameter(name, interaction)).join('')}</dl></details>`,
  )
}

/** Whom the application thinks it is. */
function hintedFirst(users: readonly DemoUser[], hint: string | undefined): readonly DemoUser[] {
  const isHinted = ({ email, id }: DemoUser): boolean => email === hint || id === hint
  return [...users.filter(isHinted), ...users.filter((user) => !isHinted(user))]
}

function renderUser(user: DemoUser): string {
  return `<li><button class="user" name="user" value="${escapeHtml(user.id)}">
<span class="initial" aria-hidden="true">${escapeHtml(user.name.slice(0, 1))}</span>
<strong>${escapeHtml(user.name)}</strong>
<span>${escapeHtml(user.description ?? user.email)}</span>
</button></li>`
}

function renderParameter(name: string, { params }: Interaction): string {
  return `<div><dt>${name}</dt><dd>${escapeHtml(readParameter(name, params) ?? '(not sent)')}</dd></div>`
}

/** The library takes `offline_access` out of the scope; it was asked for all the same. */
function readParameter(name: string, params: Interaction['params']): string | undefined {
  const value = params[name]
  return name === 'scope' && params.offline_requested !== undefined ? `${value} offline_access` : value
}
