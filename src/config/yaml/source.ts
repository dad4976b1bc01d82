import { onDemand } from '../../basics/on-demand.ts'

const yaml = onDemand<typeof import('yaml')>('yaml')

/** More repeated aliases than this are an attack on memory, not a configuration. */
const mostAliases = 100

/** A place in a document: keys and list positions from its root. */
export type DocumentPath = readonly PropertyKey[]

/** Something wrong at a place of a document; the problem ends a sentence that begins with the path. */
export interface DocumentPlace {
  readonly path: DocumentPath
  readonly problem: string
}

/** A YAML or JSON text that knows its lines. */
export interface YamlSource {
  /** The content as plain values; `undefined` when the text is not YAML. */
  readonly value: unknown
  /** What is wrong with the text itself. */
  readonly faults: readonly { readonly line: number; readonly problem: string }[]
  /** The line (from 1) of the deepest part of the path that exists. */
  lineOf(path: DocumentPath): number
}

/** Reads YAML 1.2, of which JSON is a part. */
export function readYaml(untrustedText: string): YamlSource {
  const { isMap, isNode, isScalar, LineCounter, parseDocument } = yaml()
  const lineCounter = new LineCounter()
  const document = parseDocument(untrustedText, { lineCounter, prettyErrors: false })
  const lineAt = (offset: number): number => lineCounter.linePos(offset).line
  const faults = document.errors.map(({ code, message, pos }) => ({
    line: lineAt(pos[0]),
    // The library would name its own function for that.
    problem: code === 'MULTIPLE_DOCS' ? 'holds more than one document' : message,
  }))

  function lineOf(path: DocumentPath): number {
    for (let length = path.length; length > 0; length--) {
      const offset = offsetOf(path.slice(0, length))
      if (offset !== undefined) return lineAt(offset)
    }
    return 1
  }

  /** Where a member begins: at its key, or in a list at itself. */
  function offsetOf(path: DocumentPath): number | undefined {
    const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true)
    const last = path.at(-1)
    if (isMap(parent)) {
      const key = parent.items.map((pair) => pair.key).find((one) => isScalar(one) && one.value === last)
      return isNode(key) ? key.range?.[0] : undefined
    }
    const node = document.getIn(path, true)
    return isNode(node) ? node.range?.[0] : undefined
  }

  if (faults.length > 0) return { value: undefined, faults, lineOf }
  try {
    return { value: document.toJS({ maxAliasCount: mostAliases }), faults, lineOf }
  } catch {
    return { value: undefined, faults: [{ line: 1, problem: 'repeats its aliases too often' }], lineOf }
  }
}
