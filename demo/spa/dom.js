/**
 * The element that matches; a missing one is a fault of this page.
 * @param {ParentNode} parent @param {string} selector @returns {HTMLElement}
 */
export function find(parent, selector) {
  const element = parent.querySelector(selector)
  if (!(element instanceof HTMLElement)) throw new Error(`${selector} is missing`)
  return element
}

/** A copy of a template's content. @param {string} selector @returns {DocumentFragment} */
export function fill(selector) {
  const template = document.querySelector(selector)
  if (!(template instanceof HTMLTemplateElement)) throw new Error(`${selector} is missing`)
  return /** @type {DocumentFragment} */ (template.content.cloneNode(true))
}

/** Says something to screen readers, once. @param {string} text */
export function announce(text) {
  find(document, '#announcer').textContent = text
}

/** Seconds as `59:07`. @param {number} seconds */
export function formatTime(seconds) {
  const minutes = Math.floor(seconds / 60)
  return `${minutes}:${String(seconds % 60).padStart(2, '0')}`
}
