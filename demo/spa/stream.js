import { announce, find } from './dom.js'

/** More would only scroll away. */
const shownEvents = 20

/**
 * The live stream, on demand.
 * @param {DocumentFragment} view @param {import('/client.js').Coatcheck} coatcheck @returns {() => void}
 */
export function showStream(view, coatcheck) {
  const button = find(view, '[data-action=listen]')
  const lamp = find(view, '[data-lamp]')
  const list = find(view, '[data-events]')
  /** @type {EventSource | undefined} */
  let source

  const setOn = (/** @type {boolean} */ isOn) => {
    button.setAttribute('aria-pressed', String(isOn))
    button.textContent = isOn ? 'Stop' : 'Listen'
    lamp.textContent = isOn ? 'on' : 'off'
    lamp.classList.toggle('on', isOn)
  }
  const stop = () => {
    source?.close()
    source = undefined
    setOn(false)
  }
  const listen = () => {
    source = new EventSource('/api/bell')
    source.onopen = () => setOn(true)
    source.onmessage = ({ data }) => showEvent(list, JSON.parse(data))
    source.onerror = () => {
      stop()
      announce('The stream has ended.')
      // Whether the session ended too is the gateway's to say; the page follows its answer.
      coatcheck.getSession().catch(() => undefined)
    }
  }
  button.addEventListener('click', () => (source === undefined ? listen() : stop()))
  return stop
}

/** @param {HTMLElement} list @param {{ text: string, atMs: number }} event */
function showEvent(list, { text, atMs }) {
  const item = document.createElement('li')
  const time = document.createElement('time')
  time.textContent = new Date(atMs).toLocaleTimeString()
  item.append(time, ` ${text}`)
  list.prepend(item)
  while (list.children.length > shownEvents) list.lastElementChild?.remove()
}
