/** A page of the operator, ready to be filled in: text and the names of values in turn, beginning and ending with text. */
export interface PageTemplate {
  readonly parts: readonly string[]
  /** Content of each of its style elements, exactly, for the policy that allows them. */
  readonly styles: readonly string[]
}

/** What a page may and must hold. */
export interface PageRule {
  /** Values that it may show. */
  readonly values: readonly string[]
  /** Without these it would not work. */
  readonly required: readonly string[]
  /** Those of its values that are addresses: the only ones that may stand in attributes that lead somewhere. */
  readonly addresses: readonly string[]
}

/** Something wrong in a template. */
export interface TemplateFault {
  /** From 1. */
  readonly line: number
  /** The end of a sentence that begins with file and line. */
  readonly problem: string
}

/** Comments, style elements and tags; what is between them is text. */
const piece =
  /<!--[\s\S]*?-->|<![a-z][^>]*>|(?<open><style\b[^>]*>)(?<style>[\s\S]*?)<\/style\s*>|<(?<close>\/?)(?<tag>[a-zA-Z][^\s/>]*)(?<attributes>(?:"[^"]*"|'[^']*'|[^"'<>])*)>/gi
const attribute =
  /(?<name>[^\s"'<>/=]+)(?:\s*=\s*(?:"(?<double>[^"]*)"|'(?<single>[^']*)'|(?<bare>[^\s"'=<>`]+)))?/g
const placeholder = /\{\{\s*([A-Za-z]+)\s*\}\}/

/** The page's policy blocks all of these, so that they would only look as if they worked. */
const refusedTags: ReadonlySet<string> = new Set(['script', 'iframe', 'frame', 'object', 'embed', 'base'])
const addressAttributes: ReadonlySet<string> = new Set([
  'href',
  'src',
  'action',
  'formaction',
  'srcset',
  'xlink:href',
])

/**
 * Reads a template: HTML in which `{{name}}` stands for a value, in text or within a quoted attribute. Nothing else is special.
 *
 * @returns the template, and everything that is wrong with it; with faults it is not to be used
 */
export function parseTemplate(
  source: string,
  rule: PageRule,
): { readonly template: PageTemplate; readonly faults: readonly TemplateFault[] } {
  // As the browser reads it: its hash of a style element knows no carriage returns.
  const text = source.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n')
  const scan = new Scan(text, rule)
  const pieces = [...text.matchAll(piece)]
  let end = 0
  for (const match of pieces) {
    scan.text(end, match.index)
    scan.piece(match)
    end = match.index + match[0].length
  }
  scan.text(end, text.length)
  scan.requireValues()
  const styles = pieces.flatMap(({ groups }) => (groups?.style === undefined ? [] : [groups.style]))
  return { template: { parts: text.split(placeholder), styles }, faults: scan.faults }
}

class Scan {
  readonly faults: TemplateFault[] = []
  readonly #source: string
  readonly #rule: PageRule
  readonly #used = new Set<string>()

  constructor(source: string, rule: PageRule) {
    this.#source = source
    this.#rule = rule
  }

  text(from: number, to: number): void {
    const text = this.#source.slice(from, to)
    this.#values(text, from)
    const stray = /<[/a-zA-Z!?{]/.exec(text)
    if (stray !== null) this.#fault(from + stray.index, 'holds a tag that is not closed')
  }

  piece({ 0: whole, index, groups = {} }: RegExpExecArray): void {
    if (groups.tag !== undefined && groups.close === '')
      this.#tag(groups.tag.toLowerCase(), groups.attributes ?? '', index)
    else if (whole.includes('{{'))
      this.#fault(
        index,
        `holds a value within a ${groups.open === undefined ? 'comment or closing tag' : 'style element'}`,
      )
  }

  requireValues(): void {
    for (const name of this.#rule.required)
      if (!this.#used.has(name)) this.#fault(0, `lacks {{${name}}}, without which the page does not work`)
  }

  #tag(tag: string, attributes: string, at: number): void {
    if (refusedTags.has(tag)) this.#fault(at, `holds <${tag}>, which the policy of the page blocks`)
    let quoted = ''
    for (const { 0: whole, groups = {} } of attributes.matchAll(attribute)) {
      const value = groups.double ?? groups.single
      this.#attribute(groups.name?.toLowerCase() ?? '', value ?? groups.bare ?? '', at)
      if (value !== undefined) quoted += whole
    }
    const count = (text: string): number => text.split('{{').length
    if (count(attributes) !== count(quoted)) this.#fault(at, 'holds a value in a tag outside of quotes')
  }

  #attribute(name: string, value: string, at: number): void {
    if (name.startsWith('on')) this.#fault(at, `holds ${name}, and the page runs no script`)
    if (name === 'style')
      this.#fault(at, 'holds a style attribute, which the policy of the page blocks; use a style element')
    if (name === 'http-equiv') this.#fault(at, 'holds http-equiv, but headers are the gateway’s')
    const names = this.#values(value, at)
    if (!addressAttributes.has(name)) return
    const isAddress = names.every((one) => this.#rule.addresses.includes(one))
    if (names.length > 0 && (!isAddress || !/^\{\{\s*[A-Za-z]+\s*\}\}$/.test(value)))
      this.#fault(
        at,
        `holds a value in ${name}, where only ${this.#rule.addresses.join(', ')} may stand, alone`,
      )
    if (/^\s*javascript:/i.test(value)) this.#fault(at, `holds a script in ${name}, and the page runs none`)
  }

  /** The names of the values in a text. */
  #values(text: string, at: number): readonly string[] {
    const names: string[] = []
    for (const { 1: content = '', index } of text.matchAll(/\{\{(.*?(?:\}\}|$))/g)) {
      const name = /^\s*([A-Za-z]+)\s*\}\}$/.exec(content)?.[1]
      if (name === undefined || !this.#rule.values.includes(name)) {
        const known = this.#rule.values.join(', ')
        this.#fault(
          at + index,
          `holds {{${content.replace(/\}\}$/, '')}}}, which is none of its values: ${known}`,
        )
      } else {
        names.push(name)
        this.#used.add(name)
      }
    }
    return names
  }

  #fault(at: number, problem: string): void {
    this.faults.push({ line: this.#source.slice(0, at).split('\n').length, problem })
  }
}
