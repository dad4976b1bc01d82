/**
 * Runs in a page, and evaluates to the text whose contrast with its background is below WCAG 2.2 AA (1.4.3, 4.5 to 1 for every size).
 * Knows opaque background colours only.
 */
;(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true })

  const toRgba = (color) => {
    canvas.clearRect(0, 0, 1, 1)
    canvas.fillStyle = color
    canvas.fillRect(0, 0, 1, 1)
    return [...canvas.getImageData(0, 0, 1, 1).data]
  }

  const linear = (value) => {
    const share = value / 255
    return share <= 0.040_45 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  }

  const luminance = ([red, green, blue]) =>
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)

  const backgroundOf = (element) => {
    if (element === null) return [255, 255, 255, 255]
    const color = toRgba(getComputedStyle(element).backgroundColor)
    return color[3] === 255 ? color : backgroundOf(element.parentElement)
  }

  const contrastOf = (element) => {
    const text = luminance(toRgba(getComputedStyle(element).color))
    const background = luminance(backgroundOf(element))
    return (Math.max(text, background) + 0.05) / (Math.min(text, background) + 0.05)
  }

  const isShownText = (element) =>
    [...element.childNodes].some(
      (node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim() !== '',
    ) && element.closest('[aria-hidden=true], .visually-hidden, .skip, noscript') === null

  return [...document.querySelectorAll('body *:not(script, style)')]
    .filter((element) => isShownText(element) && contrastOf(element) < 4.5)
    .map((element) => `${element.textContent.trim().slice(0, 30)}: ${contrastOf(element).toFixed(2)}`)
})()
