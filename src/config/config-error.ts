/** One thing that is wrong with the configuration. Never holds a value, which might be a secret. */
export interface ConfigFault {
  /** The setting's name, or a routes file with line: `routes.yaml:12 routes[1].upstream`. */
  readonly name: string
  /** The end of a sentence that begins with the name. */
  readonly problem: string
  /** What to write instead, complete: `PORT=3000`. */
  readonly example: string | undefined
}

/** The fault as one line for a person. */
export function describeFault(fault: ConfigFault): string {
  const example = fault.example === undefined ? '' : ` Example: ${fault.example}`
  return `${fault.name}: ${fault.problem}.${example}`
}

/** The configuration cannot be used; holds everything that is wrong with it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly faults: readonly ConfigFault[]

  constructor(faults: readonly ConfigFault[]) {
    super(faults.map(describeFault).join('\n'))
    this.faults = faults
  }
}
