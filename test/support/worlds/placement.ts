import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, request as sendRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where the gateway of a world stands: the only one of its process, or the second of three, beneath a path, with one above and one below. */
export type Placement = 'alone' | 'alone, beneath a path' | 'the second of three frontends, beneath a path'

/** Those with most between them, for tests that run in each. */
export const placements: readonly Placement[] = ['alone', 'the second of three frontends, beneath a path']

/** What a world does differently for a placement. */
export interface Placed {
  readonly basePath: string
  /** Ends the name of the cookies' word. */
  readonly cookieSuffix: string
  /** Takes the place of `BASE_URL` in the environment. */
  readonly settings: Readonly<Record<string, string>>
  /** What the provider posts logout tokens to, which reaches the gateway on this port. */
  readonly backchannelLogoutUrl: string
  stop(): Promise<void>
}

/** Prepares a placement on an origin. */
export async function place(placement: Placement, origin: string, port: number): Promise<Placed> {
  if (placement === 'alone') {
    return {
      basePath: '',
      cookieSuffix: '',
      settings: { BASE_URL: origin },
      backchannelLogoutUrl: `http://127.0.0.1:${port}/backchannel-logout`,
      stop: async () => undefined,
    }
  }
  if (placement === 'alone, beneath a path') {
    return {
      basePath: '/desk',
      cookieSuffix: '',
      settings: { BASE_URL: `${origin}/desk` },
      backchannelLogoutUrl: `http://127.0.0.1:${port}/desk/backchannel-logout`,
      stop: async () => undefined,
    }
  }
  const folder = await mkdtemp(join(tmpdir(), 'coatcheck-placed-'))
  const file = join(folder, 'frontends.json')
  // All are alike but for their addresses: nothing else is there to tell them apart.
  const frontends = {
    above: { BASE_URL: origin },
    desk: { BASE_URL: `${origin}/desk` },
    below: { BASE_URL: `${origin}/desk/below` },
  }
  await writeFile(file, JSON.stringify({ frontends }))
  const front = await startNamingFront(new URL(origin).host, port)
  return {
    basePath: '/desk',
    cookieSuffix: '-desk',
    settings: { FRONTENDS_FILE: file },
    backchannelLogoutUrl: `http://127.0.0.1:${front.port}/desk/backchannel-logout`,
    async stop() {
      await front.stop()
      await rm(folder, { recursive: true })
    },
  }
}

/** A proxy that names the host: the provider of the tests reaches the gateway by its address alone. */
async function startNamingFront(host: string, port: number) {
  const server = createServer((request, response) => {
    const { method, url: path, headers } = request
    const onward = { host: '127.0.0.1', port, method, path, headers: { ...headers, host } }
    const sent = sendRequest(onward, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    sent.on('error', () => response.destroy())
    request.pipe(sent)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
