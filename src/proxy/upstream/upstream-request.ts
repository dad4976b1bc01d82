import type { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import { type Admission, authorizationOf } from '../../access/admission.ts'
import type { AccessToken } from '../../oidc/tokens/token-set.ts'
import type { ProxiedRequest } from '../exchange/proxied-request.ts'
import type { Upload } from '../exchange/upload.ts'
import { forwardedFor } from '../headers/forwarded-for.ts'
import type { FreshHeaders, RequestHeaderPolicy } from '../headers/request-headers.ts'

/**
 * What is written fresh into the request that goes upstream.
 *
 * @param proof goes with a token that is bound to a key
 */
export function freshHeaders(
  request: ProxiedRequest,
  token: AccessToken | undefined,
  identity: readonly string[] | undefined,
  proof: string | undefined,
): FreshHeaders {
  return {
    identity,
    authorization: authorizationOf(token, proof),
    proof,
    forwardedFor: forwardedFor(request),
    requestId: request.id,
    trace: request.span?.beginUpstream(),
  }
}

/** What one attempt carries. */
export interface Carried {
  readonly token: AccessToken | undefined
  /** For a token that is bound to a key. */
  readonly proof: string | undefined
  /** As it comes, or whole: when it came with its head, and when it is sent again. */
  readonly body: Upload | Buffer | undefined
}

/**
 * A request for undici's `dispatch`: the judged target, the headers that pass, and the body.
 *
 * @param carried the token is the admission's own, or one that has taken its place
 */
export function upstreamRequest(
  request: ProxiedRequest,
  { target, identityHeaders }: Admission,
  policy: RequestHeaderPolicy,
  { token, proof, body }: Carried,
): Dispatcher.DispatchOptions {
  const { raw } = request
  return {
    path: target,
    method: request.method as Dispatcher.HttpMethod,
    headers: policy(
      raw.rawHeaders,
      request.headers.connection,
      freshHeaders(request, token, identityHeaders, proof),
    ),
    // An Upload has the part of a stream that undici uses.
    body: (body as Readable | Buffer | undefined) ?? null,
  }
}

/** Methods that may be sent twice, when they carry no body (RFC 9110 section 9.2.2). */
const idempotentMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

/** Whether sending the request again does no more than sending it once. */
export function isRepeatable(request: ProxiedRequest, upload: Upload | undefined): boolean {
  return upload === undefined && idempotentMethods.has(request.method)
}
