/** Markup that is safe to put into a page as it is. Only {@link html} makes it. */
export interface Html {
  readonly markup: string
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text as it stands in element content and in quoted attributes. */
export function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? '')
}

function render(value: string | Html | readonly Html[]): string {
  if (typeof value === 'string') return escapeText(value)
  return 'markup' in value ? value.markup : value.map(({ markup }) => markup).join('')
}

/** Template tag: escapes every text that is put in, in element content and in quoted attributes alike. */
export function html(
  template: TemplateStringsArray,
  ...values: readonly (string | Html | readonly Html[])[]
): Html {
  const markup = template.reduce((left, right, index) => `${left}${render(values[index - 1] ?? '')}${right}`)
  return { markup }
}
