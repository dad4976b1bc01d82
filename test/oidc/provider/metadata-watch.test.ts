import type { Configuration } from 'openid-client'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { MetadataError } from '../../../src/oidc/provider/discovery.ts'
import { createMetadataWatch, type MetadataWatch } from '../../../src/oidc/provider/metadata-watch.ts'
import type { ProviderDependencies, ProviderOptions } from '../../../src/oidc/provider/options.ts'

let watch: MetadataWatch | undefined
beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  watch?.close()
  vi.useRealTimers()
})

it('looks again after an hour, so that keys and endpoints that moved are found without a restart', async () => {
  const found = ['first', 'second'].map(
    (name) => ({ name, serverMetadata: () => ({}) }) as unknown as Configuration,
  )
  let looks = 0
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const options = { issuerUrl: 'https://login.example.com/' } as unknown as ProviderOptions
  const dependencies = { telemetry: { log }, now: Date.now } as unknown as ProviderDependencies
  watch = createMetadataWatch(async () => found[Math.min(looks++, 1)] as Configuration, options, dependencies)
  await vi.advanceTimersByTimeAsync(0)
  expect(watch.current()).toBe(found[0])
  await vi.advanceTimersByTimeAsync(3_599_000)
  expect(looks).toBe(1)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(watch.current()).toBe(found[1])
})

it('says once that nobody answers, whatever each attempt fails of, and once that it is over', async () => {
  const { promise, said, look } = watching()
  look.fails = () =>
    new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: `E${look.count}` }) })
  await promise
  await vi.advanceTimersByTimeAsync(60_000)
  expect(look.count).toBeGreaterThan(4)
  expect(said).toEqual(['warn'])
  look.fails = undefined
  await vi.advanceTimersByTimeAsync(20_000)
  expect(said).toEqual(['warn', 'info'])
})

it('says nothing more where an endpoint has failed first, which has its own line; but what is wrong with a document', async () => {
  const { promise, said, look } = watching()
  await promise
  expect(said).toEqual(['info'])
  look.fails = () =>
    new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ECONNREFUSED' }) })
  await watch?.lookAgain()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(said).toEqual(['info'])
  look.fails = () => new MetadataError('the issuer is another')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(said).toEqual(['info', 'warn'])
  look.fails = undefined
  await vi.advanceTimersByTimeAsync(20_000)
  expect(said).toEqual(['info', 'warn', 'info'])
  look.fails = () => new TypeError('fetch failed')
  await vi.advanceTimersByTimeAsync(3_700_000)
  expect(said.slice(3)).toEqual(['warn'])
})

/** A watch whose looks fail as they are told, and the levels of what it says. */
function watching() {
  const said: string[] = []
  const look: { count: number; fails: (() => Error) | undefined } = { count: 0, fails: undefined }
  const log = {
    info: () => said.push('info'),
    warn: () => said.push('warn'),
    error: () => said.push('error'),
  }
  const options = { issuerUrl: 'https://login.example.com/' } as unknown as ProviderOptions
  const dependencies = { telemetry: { log }, now: Date.now } as unknown as ProviderDependencies
  const discover = async () => {
    look.count += 1
    if (look.fails !== undefined) throw look.fails()
    return { serverMetadata: () => ({}) } as unknown as Configuration
  }
  // Its first look comes after the test has said how that ends.
  const promise = Promise.resolve().then(async () => {
    watch = createMetadataWatch(discover, options, dependencies)
    await vi.advanceTimersByTimeAsync(0)
  })
  return { promise, said, look }
}
