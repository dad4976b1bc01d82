import {
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  type CustomFetch,
  type ServerMetadata,
} from 'openid-client'
import type { Logger } from '../../telemetry/telemetry.ts'

/** The two ways to show a client secret (RFC 6749 section 2.3.1). */
export type SecretMethod = 'client_secret_post' | 'client_secret_basic'

/** What the settings say about the secret. */
export interface SecretOptions {
  readonly clientId: string
  readonly clientSecret: string
  /** `auto`: as announced, and the other way when the provider refuses the first before it ever accepted one. */
  readonly method: SecretMethod | 'auto'
}

/** How the gateway proves itself with a secret. */
export interface SecretAuthentication {
  /** Puts the client's proof into a request of the OpenID library. */
  readonly apply: ClientAuth
  /** A `fetch` that finds out which way the provider takes, when the settings leave it open. */
  attempting(fetch: CustomFetch, endpoint: AttemptedEndpoint): CustomFetch
}

/** Endpoints that refuse a client which proves itself the wrong way. */
export type AttemptedEndpoint = 'token' | 'pushed_authorization'

type FetchInit = Parameters<CustomFetch>[1]

/**
 * Creates the client's authentication. Which way a client must go is fixed at its registration, where nothing but an attempt can look: an
 * announcement only says what the provider can do. A refused attempt spends no code and no refresh token, because the client is
 * authenticated first (RFC 6749 section 3.2.1).
 */
export function createSecretAuthentication(
  { clientId, clientSecret, method: configured }: SecretOptions,
  log: Logger,
): SecretAuthentication {
  const appliers = {
    client_secret_post: ClientSecretPost(clientSecret),
    client_secret_basic: ClientSecretBasic(clientSecret),
  }
  let accepted = configured === 'auto' ? undefined : configured

  async function attemptOther(fetch: CustomFetch, url: string, init: FetchInit, refused: Response) {
    const method = other(methodOf(init))
    const response = await fetch(url, reauthenticated(init, clientId, appliers[method]))
    // Asked once more, it will tell.
    if (await wantsNonce(response)) return response
    if (!(await isAnswer(response))) return (await names(refused, method)) ? response : refused
    accepted = method
    log.info({ method }, 'the provider takes the client secret this way')
    return response
  }
  return {
    apply: (server, client, body, headers) =>
      appliers[accepted ?? announcedMethod(server)](server, client, body, headers),
    attempting: (fetch, endpoint) => async (url, init) => {
      const response = await fetch(url, init)
      if (accepted !== undefined || !showsSecret(init)) return response
      if (await isClientRefused(response)) return attemptOther(fetch, url, init, response)
      // Where requests are pushed some providers take either way.
      if (response.ok && endpoint === 'token') accepted = methodOf(init)
      return response
    },
  }
}

/** The first attempt: in the body where that is announced or nothing is, since hardly a provider refuses it. */
function announcedMethod({ token_endpoint_auth_methods_supported: announced }: ServerMetadata): SecretMethod {
  const isBasicOnly = announced?.includes('client_secret_basic') && !announced.includes('client_secret_post')
  return isBasicOnly === true ? 'client_secret_basic' : 'client_secret_post'
}

/** An assertion or a certificate that is refused is not followed by a secret. */
function showsSecret({ method, headers, body }: FetchInit): boolean {
  if (method !== 'POST') return false
  return new Headers(headers).has('authorization') || new URLSearchParams(String(body)).has('client_secret')
}

/** Whether a refusal is of the way alone, and names the one that the client is registered for: then it says nothing of the secret. */
async function names(refused: Response, method: SecretMethod): Promise<boolean> {
  return (await refused.clone().text()).includes(method)
}

/** The way that a request went. */
function methodOf({ headers }: FetchInit): SecretMethod {
  return new Headers(headers).has('authorization') ? 'client_secret_basic' : 'client_secret_post'
}

function other(method: SecretMethod): SecretMethod {
  return method === 'client_secret_post' ? 'client_secret_basic' : 'client_secret_post'
}

/** RFC 6749 section 5.2: `invalid_client`, with 400 or 401; Auth0 says 401 `access_denied`. */
async function isClientRefused(response: Response): Promise<boolean> {
  if (response.status === 401) return !(await wantsNonce(response))
  if (response.status !== 400) return false
  const text = await response.clone().text()
  return /"error"\s*:\s*"invalid_client"/.test(text)
}

/** Whether the request lacks the provider's nonce in its proof of possession (RFC 9449 section 8), which says nothing of the client. */
async function wantsNonce(response: Response): Promise<boolean> {
  if (response.status !== 400 && response.status !== 401) return false
  const text = await response.clone().text()
  return /\buse_dpop_nonce\b/.test(`${response.headers.get('www-authenticate')} ${text}`)
}

const errorOfGrant = /"error"\s*:\s*"(?:invalid_grant|invalid_scope|invalid_target)"/

/**
 * Whether a provider that has refused the first way has taken the second: with tokens, or with an error that it says only of a grant, once it
 * knows the client. Any other error leaves open which of the two was wrong.
 */
async function isAnswer(response: Response): Promise<boolean> {
  if (response.ok) return true
  if (response.status !== 400 && response.status !== 403) return false
  return errorOfGrant.test(await response.clone().text())
}

function reauthenticated(init: FetchInit, clientId: string, apply: ClientAuth): FetchInit {
  const headers = new Headers(init.headers)
  const body = new URLSearchParams(String(init.body))
  headers.delete('authorization')
  body.delete('client_secret')
  // A pushed request names the client in any case (RFC 9126 section 2.1).
  if (body.has('grant_type')) body.delete('client_id')
  apply({ issuer: '' }, { client_id: clientId }, body, headers)
  return { ...init, body, headers: Object.fromEntries(headers.entries()) }
}
