import type { ServerResponse } from 'node:http'

/** Answers 200 with something that no cache keeps. */
export function answerJson(response: ServerResponse, body: object): void {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
  response.end(JSON.stringify(body))
}
