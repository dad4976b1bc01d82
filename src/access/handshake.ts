import { GatewayError } from '../errors/gateway-error.ts'
import type { AccessRequest } from './request.ts'

const keyPattern = /^[+/0-9A-Za-z]{22}==$/

/**
 * What is wrong with a browser's handshake (RFC 6455 section 4.2.1), whoever carries it out; `undefined`: nothing.
 *
 * @param takesWebSockets `websocket` of the route
 */
export function handshakeProblem(
  { headers, method }: Pick<AccessRequest, 'headers' | 'method'>,
  hasBody: boolean,
  takesWebSockets: boolean,
): GatewayError | undefined {
  if (!takesWebSockets) return invalid('This address takes no WebSocket.')
  if (method !== 'GET' || hasBody) return invalid('A WebSocket begins with a GET without body.')
  return keyPattern.test(headers['sec-websocket-key'] ?? '')
    ? undefined
    : invalid('The WebSocket key is malformed.')
}

/** The same of its version, for who carries it out: of two versions it is for them alone to say which they speak. */
export function versionProblem({ headers }: Pick<AccessRequest, 'headers'>): GatewayError | undefined {
  if (headers['sec-websocket-version'] === '13') return undefined
  return new GatewayError('request_invalid', {
    detail: 'Only version 13 of WebSocket is spoken.',
    headers: { 'sec-websocket-version': '13' },
  })
}

function invalid(detail: string): GatewayError {
  return new GatewayError('request_invalid', { detail })
}
