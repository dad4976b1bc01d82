import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js'
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import type { OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js'
import { isInitializeRequest } from '@modelcontextprotocol/sdk/types.js'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AccessWorld, ownPage, startAccessWorld } from '../../support/worlds/access-world.ts'

let world: AccessWorld
let server: Server
/** Each `Authorization` that the tools' server was sent, once. */
const seen = new Set<string>()
const transports = new Map<string, StreamableHTTPServerTransport>()

/** A server of tools as anybody writes one: it knows who calls by the token that the gateway has minted. */
async function openTransport(): Promise<StreamableHTTPServerTransport> {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => void transports.set(id, transport),
  })
  const tools = new McpServer({ name: 'tools', version: '1.0.0' })
  tools.registerTool('whoami', { description: 'Says who calls.' }, ({ requestInfo }) => {
    const { sub } = decodeJwt(String(requestInfo?.headers.authorization).replace('Bearer ', ''))
    return { content: [{ type: 'text', text: String(sub) }] }
  })
  await tools.connect(transport as Parameters<typeof tools.connect>[0])
  return transport
}

beforeAll(async () => {
  server = createServer((request, response) => {
    void (async () => {
      seen.add(request.headers.authorization ?? '')
      let text = ''
      for await (const chunk of request.setEncoding('utf8')) text += chunk
      const body: unknown = text === '' ? undefined : JSON.parse(text)
      const known = transports.get(String(request.headers['mcp-session-id']))
      const transport = known ?? (isInitializeRequest(body) ? await openTransport() : undefined)
      if (transport === undefined) response.writeHead(404).end()
      else await transport.handleRequest(request, response, body)
    })()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const upstream = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  world = await startAccessWorld(
    [{ prefix: '/tools/mcp', upstream, callers: ['session', 'bearer'], token: 'gateway' }],
    { RATE_LIMIT: 'off' },
  )
  world.provider.faults.discovery = (metadata) => ({
    ...metadata,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    code_challenge_methods_supported: ['S256'],
  })
}, 60_000)
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await world.stop()
})

/** What a client of tools keeps: its registration at the provider, which it had before, and what it is given. */
class Agent implements OAuthClientProvider {
  readonly redirectUrl = 'http://127.0.0.1/done'
  readonly clientMetadata = { redirect_uris: [this.redirectUrl], client_name: 'agent' }
  sentTo: URL | undefined
  #tokens: OAuthTokens | undefined
  #verifier = ''
  clientInformation() {
    const { clientId, clientSecret, issuer } = world.provider
    return { client_id: clientId, client_secret: clientSecret, issuer }
  }
  tokens() {
    return this.#tokens
  }
  saveTokens(tokens: OAuthTokens) {
    this.#tokens = tokens
  }
  redirectToAuthorization(url: URL) {
    this.sentTo = url
  }
  saveCodeVerifier(verifier: string) {
    this.#verifier = verifier
  }
  codeVerifier() {
    return this.#verifier
  }
}

type Transport = Parameters<Client['connect']>[0]
const address = () => new URL('/tools/mcp', world.origin)

async function callWhoami(transport: StreamableHTTPClientTransport): Promise<unknown> {
  const client = new Client({ name: 'agent', version: '1.0.0' })
  await client.connect(transport as Transport)
  const { content } = await client.callTool({ name: 'whoami' })
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['whoami'])
  await transport.terminateSession()
  await client.close()
  return content
}

describe('a server of tools (MCP) behind a route', () => {
  it('is used by a client that knows its address alone, and finds the provider by the metadata', async () => {
    const agent = new Agent()
    const first = new StreamableHTTPClientTransport(address(), { authProvider: agent })
    const connecting = new Client({ name: 'agent', version: '1.0.0' }).connect(first as Transport)
    await expect(connecting).rejects.toBeInstanceOf(UnauthorizedError)
    expect(seen.size, 'nothing has reached the server').toBe(0)
    const { sentTo } = agent
    expect(sentTo?.href.split('?')[0]).toBe(`${world.provider.issuer}/authorize`)
    // RFC 8707: the token is asked for the resource that the metadata name.
    expect(sentTo?.searchParams.get('resource')).toBe(address().href)
    const back = new URLSearchParams(world.provider.approve(sentTo ?? address()))
    await first.finishAuth(back.get('code') ?? '')
    expect(decodeJwt(agent.tokens()?.access_token ?? '').aud).toEqual([address().href])
    const again = new StreamableHTTPClientTransport(address(), { authProvider: agent })
    expect(await callWhoami(again)).toEqual([{ type: 'text', text: 'alice' }])
    const issuers = [...seen].map((value) => decodeJwt(value.replace('Bearer ', '')).iss)
    expect(new Set(issuers), 'the provider’s own token goes no further').toEqual(new Set([world.origin]))
  })

  it('is used by a page of ours with its session, at the same address', async () => {
    const headers = { cookie: await world.signIn(), ...ownPage }
    const page = new StreamableHTTPClientTransport(address(), { requestInit: { headers } })
    expect(await callWhoami(page)).toEqual([{ type: 'text', text: 'alice' }])
  })

  it('is closed to a token for another resource, and says so in words that the client acts on', async () => {
    const agent = new Agent()
    const token = await world.bearer({ aud: `${world.origin}/other` })
    agent.saveTokens({ access_token: token, token_type: 'Bearer' })
    const transport = new StreamableHTTPClientTransport(address(), { authProvider: agent })
    const connecting = new Client({ name: 'agent', version: '1.0.0' }).connect(transport as Transport)
    await expect(connecting).rejects.toBeInstanceOf(UnauthorizedError)
    expect(agent.sentTo).toBeDefined()
  })
})
