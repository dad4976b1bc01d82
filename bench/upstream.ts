import { createServer } from 'node:http'

/** The API behind every gateway: sends a body of the size that the path names, reads whatever it is sent. */
const bodies: Readonly<Record<string, Buffer>> = {
  '/api/1k': jsonOf(1_024),
  '/api/100k': jsonOf(102_400),
}
const accepted = Buffer.from('{"ok":true}')

function jsonOf(bytes: number): Buffer {
  const frame = '{"data":""}'
  return Buffer.from(`{"data":"${'x'.repeat(bytes - frame.length)}"}`)
}

const server = createServer((request, response) => {
  request.resume()
  request.once('end', () => {
    const body = request.method === 'POST' ? accepted : bodies[request.url ?? '']
    response.writeHead(body === undefined ? 404 : 200, {
      'content-type': 'application/json',
      'content-length': body?.length ?? 0,
    })
    response.end(body)
  })
})
// Longer than any gateway keeps a connection, so that nobody runs into a closing one.
server.keepAliveTimeout = 120_000
server.listen(Number(process.env.PORT), '127.0.0.1')
