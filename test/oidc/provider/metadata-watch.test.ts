import type { Configuration } from 'openid-client'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
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
