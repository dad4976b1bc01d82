import type { Identity } from '../../../oidc/tokens/token-set.ts'
import type { Sealer } from '../../../sealing/sealer.ts'
import { isSessionHash } from '../../record/keys.ts'
import type { IndexMember } from '../../store/contract.ts'

/** Writes and reads where a list of sessions goes on: sealed, because it names a session by its hash, and bound to the user. */
export interface ListingCursor {
  seal(owner: Owner, member: IndexMember): string
  /** `undefined`: not one of ours, or another user's. */
  open(owner: Owner, untrustedCursor: string): IndexMember | undefined
}

type Owner = Pick<Identity, 'issuer' | 'subject'>

/** Makes cursors under a frontend's sealer. */
export function createListingCursor(sealer: Pick<Sealer, 'seal' | 'open'>): ListingCursor {
  const contextOf = ({ issuer, subject }: Owner): string => JSON.stringify([issuer, subject])
  return {
    seal(owner, { issuedAtSeconds, h }) {
      const content = Buffer.from(`${issuedAtSeconds} ${h}`)
      return sealer.seal('listing', contextOf(owner), content).toString('base64url')
    },
    open(owner, untrustedCursor) {
      const opened = sealer.open('listing', contextOf(owner), Buffer.from(untrustedCursor, 'base64url'))
      const [seconds = '', h = ''] = opened?.bytes.toString().split(' ') ?? []
      return isSessionHash(h) ? { issuedAtSeconds: Number(seconds), h } : undefined
    },
  }
}
