import { announce, find } from './dom.js'

/**
 * The switch of the API, and what a copy of the token is worth.
 * @param {DocumentFragment} view @param {import('/client.js').Coatcheck} coatcheck
 */
export function showCopy(view, coatcheck) {
  const answer = find(view, '[data-copy-answer]')
  const toggle = find(view, '[data-demand]')
  const setDemand = (/** @type {string} */ method) =>
    report(answer, async () => {
      const response = await coatcheck.apiFetch('/api/demand', { method })
      if (!response.ok) return
      const { isProofDemanded } = await response.json()
      toggle.setAttribute('aria-checked', String(isProofDemanded))
      if (method !== 'GET') await tryCopy()
    })
  const tryCopy = () =>
    report(answer, async () => {
      const { tries = [] } = await (await coatcheck.apiFetch('/api/copy')).json()
      answer.replaceChildren(...tries.map(renderTry))
      announce(answer.innerText)
    })
  toggle.addEventListener('click', () =>
    setDemand(toggle.getAttribute('aria-checked') === 'true' ? 'DELETE' : 'PUT'),
  )
  find(view, '[data-action=copy]').addEventListener('click', tryCopy)
  void setDemand('GET')
}

/** @param {HTMLElement} answer @param {() => Promise<void>} ask */
async function report(answer, ask) {
  try {
    await ask()
  } catch (error) {
    // An ended session has its own view.
    if (error instanceof Error && error.name !== 'SessionEndedError') answer.textContent = error.message
  }
}

/** @param {{ copied: string, status: number, detail: string }} attempt */
function renderTry({ copied, status, detail }) {
  const line = document.createElement('p')
  const badge = document.createElement('strong')
  // Here a success is the bad news.
  badge.className = status === 401 ? 'status good' : 'status bad'
  badge.textContent = String(status)
  const what = document.createElement('code')
  what.textContent = copied
  const words = document.createElement('span')
  words.textContent = detail
  line.className = 'status-line'
  line.append(badge, what, words)
  return line
}
