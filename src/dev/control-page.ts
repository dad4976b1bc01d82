import type { IncomingMessage, ServerResponse } from 'node:http'
import type { DemoProviderKnobs } from './provider/options.ts'
import { escapeHtml, renderPage } from './provider/pages.ts'
import type { DemoProvider } from './provider/provider.ts'

/** Where the page is, at the provider's origin. */
export const controlPath = '/dev'

/** Life of an access token while "short" is chosen, seconds: above the gateway's own margin, so that refreshes can be watched. */
const shortSeconds = 20
const longSeconds = 600

/** What the buttons do, and which of them are pressed. */
interface Switch {
  readonly name: string
  readonly label: string
  readonly about: string
  readonly isOn: (knobs: DemoProviderKnobs) => boolean
  readonly turn: (knobs: DemoProviderKnobs, isOn: boolean) => void
}

const switches: readonly Switch[] = [
  {
    name: 'short',
    label: `Access tokens live ${shortSeconds} seconds`,
    about: 'The next sign-in or refresh brings a short one; watch the gateway renew it.',
    isOn: ({ accessTokenTtlSeconds }) => accessTokenTtlSeconds === shortSeconds,
    turn(knobs, isOn) {
      knobs.accessTokenTtlSeconds = isOn ? shortSeconds : longSeconds
    },
  },
  {
    name: 'old',
    label: 'Sign-ins are an hour old',
    about: '<code>auth_time</code> says so, unless a <code>max_age</code> was asked for: try a step-up.',
    isOn: ({ signInAgeSeconds }) => signInAgeSeconds > 0,
    turn(knobs, isOn) {
      knobs.signInAgeSeconds = isOn ? 3_600 : 0
    },
  },
  {
    name: 'down',
    label: 'The provider is down',
    about: 'It answers 503 to everything but this page. Sessions stay.',
    isOn: ({ isDown }) => isDown,
    turn(knobs, isOn) {
      knobs.isDown = isOn
    },
  },
]

/** What the page knows. */
export interface ControlContext {
  readonly provider: () => DemoProvider
  /** The app, as a browser opens it. */
  readonly appUrl: () => string
}

/**
 * Answers `/dev`: buttons for what a provider does to an app, such as a sign-out elsewhere.
 *
 * @returns whether the request was one for it
 */
export function answerControl(
  context: ControlContext,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  if (request.url !== controlPath) return false
  void answer(context, request, response).catch(() => response.destroy())
  return true
}

async function answer(
  context: ControlContext,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method === 'POST') {
    // Any page in the browser could post here; only ours may.
    const isOurs = request.headers['sec-fetch-site'] === 'same-origin'
    if (isOurs) await act(context.provider(), new URLSearchParams(await readBody(request)))
    response.writeHead(isOurs ? 303 : 403, { location: controlPath }).end()
    return
  }
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' })
  response.end(renderControls(context.provider().knobs, context.appUrl()))
}

async function act(provider: DemoProvider, body: URLSearchParams): Promise<void> {
  if (body.get('action') === 'end-sessions') await provider.endAllSessions()
  const chosen = switches.find(({ name }) => name === body.get('turn'))
  chosen?.turn(provider.knobs, body.get('to') === 'on')
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) {
    text += String(chunk)
    if (text.length > 1_024) throw new RangeError('a button says less')
  }
  return text
}

function renderControls(knobs: DemoProviderKnobs, appUrl: string): string {
  return renderPage(
    'Controls · Demo Identity',
    `<h1>What the provider does</h1>
<p class="lead">For the app at <a href="${escapeHtml(appUrl)}">${escapeHtml(appUrl)}</a>. It takes effect at once.</p>
<ul>${switches.map((row) => `<li>${renderSwitch(row, row.isOn(knobs))}</li>`).join('')}
<li><form method="post"><button class="user" name="action" value="end-sessions"><span class="state" aria-hidden="true">now</span>
<strong>Sign everybody out, as from another device</strong>
<span>Ends the provider's sessions and sends logout tokens to the gateway.</span></button></form></li></ul>
<p class="note">A step-up needs no button: answer 401 with <code>error="insufficient_user_authentication"</code> and the
<code>acr_values</code> you want, and the next sign-in has the first of them.</p>`,
  )
}

function renderSwitch({ name, label, about }: Switch, isOn: boolean): string {
  return `<form method="post"><input type="hidden" name="to" value="${isOn ? 'off' : 'on'}">
<button class="user" name="turn" value="${name}" aria-pressed="${isOn}"><span class="state" aria-hidden="true">${isOn ? 'on' : 'off'}</span>
<strong>${label}</strong><span>${about}</span></button></form>`
}
