import type { Logger } from '../../telemetry/telemetry.ts'

/** What the log says of discovery: one line when it begins to fail, one when it works. */
export interface DiscoveryLines {
  /**
   * @param isDocument there is a document, and it will not do: news each time that the reason is another. That nobody answers is said once,
   *   whatever the connections fail of.
   * @param isKnown there are metadata from before
   */
  failed(reason: string, isDocument: boolean, isKnown: boolean): void
  succeeded(isFirst: boolean): void
  /** An endpoint has failed, which has a line of its own. */
  suspected(): void
}

/** Creates them. @param about the issuer, and the host that is asked */
export function createDiscoveryLines(
  log: Pick<Logger, 'warn' | 'info'>,
  { issuer, host }: { readonly issuer: string; readonly host: string },
): DiscoveryLines {
  let saidLast: string | undefined
  let isSuspected = false
  return {
    failed(reason, isDocument, isKnown) {
      const news = isDocument ? reason : 'no answer'
      if (news === saidLast || (isKnown && isSuspected && !isDocument)) return
      saidLast = news
      const remedy = 'Compare ISSUER_URL; coatcheck doctor says more.'
      log.warn({ reason, issuer, host, remedy }, 'the identity provider cannot be discovered')
    },
    succeeded(isFirst) {
      if (isFirst || saidLast !== undefined) log.info({ issuer }, 'the identity provider is discovered')
      saidLast = undefined
      isSuspected = false
    },
    suspected() {
      isSuspected = true
    },
  }
}
