import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { type AskSystem, createLookup, lookupTogether } from '../../src/network/lookups.ts'

describe('lookups of names', () => {
  it('ask for one name once at a time, and keep no other name waiting', () => {
    const asked: [string, Parameters<AskSystem>[2]][] = []
    const lookup = createLookup((hostname, _options, answer) => asked.push([hostname, answer]))
    const heard: unknown[] = []
    const ask = (name: string): void =>
      lookup(name, { all: true }, (error, addresses) => heard.push([name, error?.code, addresses]))
    for (let each = 0; each < 100; each += 1) ask('mute.example')
    ask('other.example')
    expect(asked.map(([name]) => name)).toEqual(['mute.example', 'other.example'])
    const address = { address: '192.0.2.1', family: 4 }
    asked[1]?.[1](null, [address])
    expect(heard).toEqual([['other.example', undefined, [address]]])
    asked[0]?.[1](Object.assign(new Error('no answer'), { code: 'EAI_AGAIN' }), [])
    expect(heard).toHaveLength(101)
    expect(heard.at(-1)).toEqual(['mute.example', 'EAI_AGAIN', []])
    ask('mute.example')
    expect(asked).toHaveLength(3)
  })

  it('tell apart who asks for other kinds of addresses', () => {
    const asked: unknown[] = []
    const lookup = createLookup((_hostname, options) => asked.push(options.family))
    for (const family of [4, 6, 4]) lookup('one.example', { family }, () => undefined)
    expect(asked).toEqual([4, 6])
  })

  it('serve connections as the system’s own', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const sockets = [1, 2, 3].map(() => connect({ host: 'localhost', port, lookup: lookupTogether }))
    await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    for (const socket of sockets) socket.destroy()
    server.close()
  })
})
