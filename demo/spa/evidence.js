import { announce, find } from './dom.js'

/** A JSON Web Token, or an encrypted one: base64url parts with dots, the first of which is a JSON object. */
const tokenPattern = /eyJ[\w-]{8,}\.[\w-]*\.[\w.-]+/

/**
 * Looks into every place where a script can find a token.
 * @param {DocumentFragment} view @param {import('/client.js').Coatcheck} coatcheck
 */
export function showEvidence(view, coatcheck) {
  const rows = find(view, '[data-evidence]')
  const verdict = find(view, '[data-verdict]')
  const look = async () => {
    const places = await lookEverywhere(coatcheck)
    rows.replaceChildren(...places.map(renderPlace))
    const hasToken = places.some(({ found }) => tokenPattern.test(found))
    verdict.textContent = hasToken ? 'There is a token in this page!' : 'No token anywhere.'
    verdict.classList.toggle('bad', hasToken)
    return verdict.textContent
  }
  find(view, '[data-action=look]').addEventListener('click', async () => announce(await look()))
  void look()
}

/**
 * @param {import('/client.js').Coatcheck} coatcheck
 * @returns {Promise<readonly { readonly place: string, readonly found: string }[]>}
 */
async function lookEverywhere(coatcheck) {
  const session = await coatcheck.getSession()
  return [
    { place: 'document.cookie', found: document.cookie },
    { place: 'localStorage', found: listStorage(localStorage) },
    { place: 'sessionStorage', found: listStorage(sessionStorage) },
    { place: 'IndexedDB', found: await listDatabases() },
    { place: 'Caches', found: 'caches' in window ? (await caches.keys()).join(', ') : '' },
    { place: 'Address', found: location.href },
    { place: 'GET /session', found: JSON.stringify(session) },
  ]
}

/** @param {Storage} storage */
function listStorage(storage) {
  return Object.entries(storage)
    .map(([name, value]) => `${name}: ${value}`)
    .join(', ')
}

async function listDatabases() {
  const databases = (await indexedDB.databases?.()) ?? []
  return databases.map(({ name }) => name).join(', ')
}

/** @param {{ readonly place: string, readonly found: string }} place */
function renderPlace({ place, found }) {
  const row = document.createElement('tr')
  const name = document.createElement('th')
  name.scope = 'row'
  name.textContent = place
  const cell = document.createElement('td')
  const text = document.createElement(found === '' ? 'em' : 'code')
  text.textContent = found === '' ? 'empty' : found
  cell.append(text)
  row.append(name, cell)
  return row
}
