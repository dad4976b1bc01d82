/** Errors are wrapped a few times on their way: by undici, by its `fetch`, by the OpenID library. */
const deepestCause = 5

/** What went wrong with a connection: the system's, TLS' or undici's code, never an address; `undefined` when it has none. */
export function failureCode(error: unknown): string | undefined {
  const causes = causesOf(error)
  const refusal = causes.map(proxyRefusal).find((one) => one !== undefined)
  return refusal ?? causes.map(codeOf).find((one) => one !== undefined) ?? causes.map(nameOf).find(isKnown)
}

/** The error, what caused it, and so on; of several attempts the first stands for all. */
function causesOf(error: unknown): readonly Error[] {
  const causes: Error[] = []
  let next = error
  while (next instanceof Error && causes.length < deepestCause) {
    causes.push(next)
    next = next instanceof AggregateError ? next.errors[0] : next.cause
  }
  return causes
}

/** A proxy that makes no tunnel says why by its status alone, which undici only writes into a message. */
function proxyRefusal({ message }: Error): string | undefined {
  const status = /^Proxy response \((\d{3})\)/.exec(message)?.[1]
  return status === undefined ? undefined : `proxy_status_${status}`
}

function codeOf(error: Error): string | undefined {
  const code: unknown = Reflect.get(error, 'code')
  return typeof code === 'string' && !code.startsWith('OAUTH_') ? code : undefined
}

/** A deadline has a name and no code worth reading. */
function nameOf({ name }: Error): string | undefined {
  return name === 'Error' || name === 'TypeError' ? undefined : name
}

function isKnown(name: string | undefined): boolean {
  return name !== undefined && !/^(?:ClientError|GatewayError|OperationProcessingError)$/.test(name)
}
