import { announce, find } from './dom.js'

/**
 * The buttons that call the API, and the answer.
 * @param {DocumentFragment} view @param {import('/client.js').Coatcheck} coatcheck @returns {() => void}
 */
export function showApi(view, coatcheck) {
  const answer = find(view, '[data-answer]')
  const abort = new AbortController()
  for (const button of view.querySelectorAll('[data-call]')) {
    const path = button.getAttribute('data-call') ?? ''
    button.addEventListener('click', () => call(coatcheck, path, answer), { signal: abort.signal })
  }
  return () => abort.abort()
}

/** @param {import('/client.js').Coatcheck} coatcheck @param {string} path @param {HTMLElement} answer */
async function call(coatcheck, path, answer) {
  const startedAt = performance.now()
  try {
    const response = await coatcheck.apiFetch(path)
    const body = await response.json()
    const tookMs = Math.round(performance.now() - startedAt)
    answer.replaceChildren(renderStatus(path, response, tookMs), renderBody(body))
    announce(`The API answered ${response.status}. ${body.detail ?? ''}`)
  } catch (error) {
    // An ended session has its own view.
    if (error instanceof Error && error.name !== 'SessionEndedError') answer.textContent = error.message
  }
}

/** @param {string} path @param {Response} response @param {number} tookMs */
function renderStatus(path, response, tookMs) {
  const line = document.createElement('p')
  const badge = document.createElement('strong')
  badge.className = response.ok ? 'status good' : 'status bad'
  badge.textContent = String(response.status)
  const what = document.createElement('code')
  what.textContent = `GET ${path}`
  const time = document.createElement('span')
  time.textContent = `${tookMs} ms`
  line.className = 'status-line'
  line.append(badge, what, time)
  return line
}

/** @param {unknown} body */
function renderBody(body) {
  const text = document.createElement('pre')
  text.textContent = JSON.stringify(body, null, 2).replace(/\[[^[\]{}]*\]/g, onOneLine)
  return text
}

/** Lists of plain values read better on one line. @param {string} list */
const onOneLine = (list) => list.replace(/\s+/g, ' ').replace('[ ', '[').replace(' ]', ']')
