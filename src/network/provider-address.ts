/** How the gateway finds the provider. */
export interface ProviderPlace {
  readonly issuerUrl: string
  /** `PROVIDER_ADDRESS`: an origin under which only the gateway reaches it. */
  readonly providerAddress?: URL | undefined
}

/** Where a call goes, and what it says about the public address. */
export interface CalledAddress {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
}

/**
 * Where a back-channel endpoint is called: one on the issuer's origin, or on `PROVIDER_ADDRESS`, at that address, with the public host
 * beside it, from which the provider makes its own addresses; any other as it was announced.
 */
export function calledAddress(announced: URL, { issuerUrl, providerAddress }: ProviderPlace): CalledAddress {
  const issuer = new URL(issuerUrl)
  const isAtProvider = announced.origin === issuer.origin || announced.origin === providerAddress?.origin
  if (providerAddress === undefined || !isAtProvider) return { url: announced, headers: {} }
  return {
    url: onOrigin(announced, providerAddress),
    headers: { 'x-forwarded-host': issuer.host, 'x-forwarded-proto': issuer.protocol.slice(0, -1) },
  }
}

/** An endpoint that was announced at `PROVIDER_ADDRESS`, as browsers know it: there the issuer's origin stands. */
export function publicAddress(announced: URL, { issuerUrl, providerAddress }: ProviderPlace): URL {
  return announced.origin === providerAddress?.origin ? onOrigin(announced, new URL(issuerUrl)) : announced
}

function onOrigin({ pathname, search }: URL, origin: URL): URL {
  return new URL(`${origin.origin}${pathname}${search}`)
}
