/** The test kit refuses; the message says why and what to do. */
export class TestKitError extends Error {
  override readonly name = 'TestKitError'
}
