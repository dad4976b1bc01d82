import { createCoatcheck } from '/client.js'
import { showApi } from './api-panel.js'
import { showCopy } from './copy-panel.js'
import { announce, fill, find, formatTime } from './dom.js'
import { showEvidence } from './evidence.js'
import { showStream } from './stream.js'

/** @typedef {import('../spa-folder.ts').SpaFacts} SpaFacts */

const coatcheck = createCoatcheck()
const main = find(document, '#main')
/** @type {SpaFacts} */
const facts = await (await fetch('/demo.json')).json()

/** What has to stop when the session ends. @type {(() => void)[]} */
let cleanUp = []

coatcheck.onSessionEnded(() => showSignedOut('Your session has ended. Nothing of it was ever in this page.'))
await start()

async function start() {
  try {
    const session = await coatcheck.getSession()
    if (session.authenticated) showSignedIn(session)
    else if (facts.sendsAudience) showSignedOut()
    else showWithoutAudience()
  } catch {
    main.replaceChildren(
      document.createTextNode('The gateway does not answer. Reload the page to try again.'),
    )
  }
  main.removeAttribute('aria-busy')
}

/** @param {string} [notice] */
function showSignedOut(notice) {
  leave()
  const view = fill('#signed-out')
  find(view, '[data-people]').append(...facts.users.map(renderPerson))
  if (notice !== undefined) {
    const box = find(view, '[data-notice]')
    box.textContent = notice
    box.hidden = false
  }
  find(view, '[data-action=login]').addEventListener('click', () => coatcheck.login({ byUser: true }))
  showAudience(view)
  find(document, '#who').replaceChildren()
  show(view, notice ?? 'You are not signed in.', notice !== undefined)
}

function showWithoutAudience() {
  const view = fill('#without-audience')
  find(view, '[data-home]').setAttribute('href', facts.url)
  show(view, 'This gateway asks for no audience.')
}

/** @param {import('/client.js').SignedIn} session */
function showSignedIn(session) {
  leave()
  const view = fill('#signed-in')
  const { name, email, sub } = session.user
  find(view, '[data-name]').textContent = String(name ?? sub)
  find(view, '[data-email]').textContent = String(email ?? '')
  find(view, '[data-subject]').textContent = String(sub)
  find(view, '[data-provider-logout]').setAttribute('href', facts.providerLogoutUrl)
  // Browsers bind sessions of https origins only: behind a TLS proxy the demo shows it, on loopback it cannot.
  find(view, '[data-device]').hidden = session.device !== 'bound'
  showClocks(view, session)
  showTicketNumber(view)
  showAudience(view)
  showWho(String(name ?? sub))
  cleanUp = [
    showApi(view, coatcheck),
    showStream(view, coatcheck),
    coatcheck.onCountdown((left) => showClocks(document, left)),
  ]
  showEvidence(view, coatcheck)
  showCopy(view, coatcheck)
  find(view, '[data-action=refresh]').addEventListener('click', stayIn)
  show(view, `Signed in as ${name}.`)
}

function leave() {
  for (const stop of cleanUp) stop()
  cleanUp = []
}

/**
 * @param {DocumentFragment} view
 * @param {string} text for those who cannot see the change
 * @param {boolean} [movesFocus] when what had the focus is gone
 */
function show(view, text, movesFocus = false) {
  main.replaceChildren(view)
  announce(text)
  if (movesFocus) main.focus()
}

/** @param {SpaFacts['users'][number]} user */
function renderPerson(user) {
  const item = document.createElement('li')
  const link = document.createElement('a')
  // The provider of the demo asks all the same, unless it signs in by itself; the hint is what a link of an app can give.
  link.href = `/login?login_hint=${encodeURIComponent(user.email)}`
  const name = document.createElement('strong')
  name.textContent = user.name
  link.append(name, ` ${user.description}`)
  item.append(link)
  return item
}

/** @param {DocumentFragment} view */
function showAudience(view) {
  const panel = find(view, '[data-audience]')
  panel.append(fill('#audience'))
  find(panel, '[data-bare]').setAttribute('href', `${facts.withoutAudienceUrl}/`)
}

/** @param {string} name */
function showWho(name) {
  const label = document.createElement('span')
  label.textContent = name
  const button = document.createElement('button')
  button.textContent = 'Sign out'
  button.addEventListener('click', () => coatcheck.logout({ returnTo: '/' }))
  find(document, '#who').replaceChildren(label, button)
}

/** @param {ParentNode} view @param {{ expiresIn: number, idleExpiresIn: number }} left */
function showClocks(view, left) {
  find(view, '[data-absolute]').textContent = formatTime(left.expiresIn)
  find(view, '[data-idle]').textContent = formatTime(left.idleExpiresIn)
}

/** The public number of this session: an HMAC, of no use as a session. @param {DocumentFragment} view */
async function showTicketNumber(view) {
  const number = find(view, '[data-number]')
  const response = await fetch('/sessions', { headers: { 'X-CSRF': '1' } })
  if (!response.ok) return
  const { sessions } = await response.json()
  const current = sessions.find((/** @type {{ current: boolean }} */ session) => session.current)
  if (current !== undefined)
    number.textContent = `№ ${current.id
      .replace(/[^A-Za-z0-9]/g, '')
      .slice(0, 4)
      .toUpperCase()}`
}

async function stayIn() {
  try {
    const session = await coatcheck.refreshSession()
    if (session.authenticated) announce('The session goes on.')
  } catch {
    announce('The session could not be kept alive.')
  }
}
