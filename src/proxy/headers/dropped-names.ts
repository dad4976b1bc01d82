/**
 * The headers that never pass the proxy, in either direction, each group with its reason. Names are canonical: lower case, with `-` for all that is neither letter nor digit.
 * Last looked through on 2026-11-26; whoever does so next writes the day here.
 */
export interface DroppedNames {
  readonly why: string
  readonly names?: string
  /** What a name begins with. */
  readonly prefixes?: string
  /** What a name ends with. */
  readonly endings?: string
}

const ofOneConnection: DroppedNames = {
  why: 'belong to one connection and never pass a proxy (RFC 9110 section 7.6.1)',
  names: 'connection keep-alive proxy-connection te trailer transfer-encoding upgrade',
}

/** Removed from every request. */
export const droppedFromRequests: readonly DroppedNames[] = [
  ofOneConnection,
  { why: 'steer the connection to us, not the request', names: 'host expect http2-settings' },
  {
    why: 'are proof of who calls, and the token is ours: also as the twins that some clouds prefer to authorization',
    names: 'authorization dpop x-serverless-authorization x-zumo-auth cookie2',
    prefixes: 'proxy-',
  },
  {
    why: 'say where a request comes from: only a trusted hop may, and ours are written fresh',
    names: `forwarded x-forwarded x-real-ip x-client-ip client-ip x-cluster-client-ip true-client-ip cf-connecting-ip cf-connecting-ipv6
      fastly-client-ip x-azure-clientip x-azure-socketip x-proxyuser-ip x-scheme x-url-scheme front-end-https x-request-id origin`,
    prefixes: 'x-forwarded- forwarded- wl-proxy- x-envoy- x-appengine- x-arr-',
  },
  {
    why: 'say who the user is, in the words of a sign-in proxy that an API may have had in front of it before',
    prefixes: `x-user remote- x-remote- x-webauth- x-auth-request- x-authenticated- x-authentik- x-pomerium- x-vouch- x-consumer-
      x-credential- tailscale-user- x-ms-client-principal x-ms-token- x-amzn-oidc- x-goog-authenticated-user- x-goog-iap-
      x-apigateway-api-userinfo x-endpoint-api-userinfo cf-access-`,
  },
  {
    why: 'say which certificate the client showed (RFC 9440, and what proxies wrote before it)',
    prefixes: 'client-cert ssl-client- x-ssl-client- x-client-cert x-amzn-mtls-',
  },
  {
    why: 'make another request of it than was judged: another method, another path, or past a check',
    names: 'x-method-override x-rewrite-url x-middleware-subrequest',
    prefixes: 'x-http-method x-original-',
  },
  {
    why: 'make frameworks answer with the name of a file of theirs, for a server in front to send',
    names: 'x-sendfile-type',
    prefixes: 'x-accel-',
  },
  {
    why: 'are talk of a browser about sessions bound to the device, which are between it and us',
    prefixes: 'secure-session- sec-secure-session- sec-session-',
  },
  {
    why: 'offer a compression dictionary, which no answer of a route may have installed',
    names: 'available-dictionary dictionary-id',
  },
]

/** Removed from every answer. */
export const droppedFromAnswers: readonly DroppedNames[] = [
  ofOneConnection,
  {
    why: 'approve of other origins reading answers or measuring them: nobody shares our cookie',
    names: 'timing-allow-origin',
    prefixes: 'access-control-',
  },
  {
    why: 'change what a browser keeps for the whole origin, or how it reaches it',
    names: `clear-site-data strict-transport-security public-key-pins public-key-pins-report-only expect-ct alt-svc service-worker-allowed
      use-as-dictionary accept-ch critical-ch accept-ch-lifetime origin-trial critical-origin-trial set-cookie2`,
  },
  {
    why: 'have a browser tell a stranger about addresses of the origin, the one of the callback included',
    names: 'nel report-to reporting-endpoints',
    prefixes: 'attribution-reporting-',
  },
  {
    why: 'begin or end sign-ins of the origin: device-bound sessions, the login status, storage access of frames',
    names: 'set-login activate-storage-access',
    prefixes: 'secure-session- sec-session- sec-secure-session-',
  },
  {
    why: 'move the page, or load others ahead of a click',
    names: 'refresh speculation-rules onion-location',
  },
  {
    why: 'act for the origin in the advertising interfaces of browsers',
    names: 'observe-browsing-topics',
    prefixes: 'shared-storage- ad-auction-',
  },
  {
    why: 'command a server in front of us: to send a file, to ask another address, to take us out of service',
    names: 'x-sendfile x-sendfile2 x-send-file',
    prefixes: 'x-accel- x-reproxy- x-lighttpd- x-litespeed- x-envoy- x-appengine-',
  },
  { why: 'describe the inside', names: 'server x-powered-by' },
  {
    why: 'ask the user for the password of a proxy',
    names: 'proxy-authenticate proxy-authentication-info',
  },
  { why: 'is written by us', names: 'x-content-type-options' },
]

/** Removed from answers of guarded routes besides. */
export const droppedFromGuardedAnswers: readonly DroppedNames[] = [
  {
    why: 'tell shared caches to keep what belongs to one user, past cache-control',
    names: 'surrogate-control cdn-cache-control edge-control',
    endings: '-cdn-cache-control',
  },
]

/** Removed from answers besides, where documents are put into a sandbox. */
export const droppedFromSandboxedAnswers: readonly DroppedNames[] = [
  {
    why: 'protects nothing, and has a browser tell a stranger where the document was opened from',
    names: 'content-security-policy-report-only',
  },
]

/** All exact names of these groups. */
export function namesOf(groups: readonly DroppedNames[]): readonly string[] {
  return groups.flatMap(({ names }) => words(names))
}

/** Whether a canonical name is dropped. Asked once per spelling: the answers are remembered by the name table. */
export function createDropTest(groups: readonly DroppedNames[]): (canonicalName: string) => boolean {
  const names = new Set(namesOf(groups))
  const prefixes = groups.flatMap((group) => words(group.prefixes))
  const endings = groups.flatMap((group) => words(group.endings))
  return (name) =>
    names.has(name) ||
    prefixes.some((prefix) => name.startsWith(prefix)) ||
    endings.some((ending) => name.endsWith(ending))
}

function words(list: string | undefined): readonly string[] {
  return list === undefined ? [] : list.trim().split(/\s+/)
}
