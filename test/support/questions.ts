import { type Answer, exchange } from './exchange.ts'

/** A request that a proxy asks about. */
export interface Asked {
  readonly method?: string
  readonly uri?: string
  readonly host?: string
  readonly proto?: string
  /** What the browser sent besides. */
  readonly headers?: Readonly<Record<string, string>>
}

/** What a fetch of our own page sends. */
export const ownFetch = {
  'sec-fetch-site': 'same-origin',
  'sec-fetch-mode': 'cors',
  'sec-fetch-dest': 'empty',
}

/** What a navigation sends; `site`: what it was begun by. */
export function navigation(site: string): Readonly<Record<string, string>> {
  return {
    accept: 'text/html,application/xhtml+xml',
    'sec-fetch-site': site,
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
  }
}

/** A WebSocket handshake as it is left of by a proxy that keeps `Upgrade` to itself. */
export function handshake(origin: string): Readonly<Record<string, string>> {
  return { origin, 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' }
}

/** Asks as Caddy and Traefik do, on a connection of its own. */
export function ask(
  port: number,
  { method = 'GET', uri = '/', host = 'app.example.com', proto = 'https', headers = {} }: Asked,
  path = '/check',
  ownMethod = 'GET',
): Promise<Answer> {
  return exchange({
    method: ownMethod,
    url: new URL(path, `http://127.0.0.1:${port}`),
    headers: {
      'x-forwarded-method': method,
      'x-forwarded-uri': uri,
      'x-forwarded-host': host,
      'x-forwarded-proto': proto,
      ...headers,
    },
  })
}
