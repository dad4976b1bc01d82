import { createRequire } from 'node:module'

const load = createRequire(import.meta.url)

/**
 * A package that most deployments never need: it is loaded when it is first asked for, so that its code does not lie in the memory of all.
 *
 * @param name the package's name
 */
export function onDemand<Package>(name: string): () => Package {
  let loaded: Package | undefined
  return () => {
    loaded ??= load(name) as Package
    return loaded
  }
}
