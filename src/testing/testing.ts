/**
 * The test kit, published as `coatcheck/testing`: sessions for test users without a browser, and a provider that lives in the test. For
 * a gateway on loopback only.
 */

export { TestKitError } from './test-kit-error.ts'
export { type StartTestProviderOptions, startTestProvider, type TestProvider } from './test-provider.ts'
export { createTestSession, type TestSession, type TestSessionOptions } from './test-session.ts'
export type { TestUser } from './test-user.ts'
