import type { DoctorContext } from '../check.ts'
import { SkipCheck } from '../finding.ts'
import type { Front } from '../front/front.ts'

/**
 * What came through `BASE_URL`, for the checks after the first.
 *
 * @throws SkipCheck when nothing did
 */
export async function frontThatAnswers({
  front,
}: Pick<DoctorContext, 'front'>): Promise<Front & { readonly kind: 'arrived' | 'gateway' }> {
  const found = await front()
  if (found.kind === 'arrived' || found.kind === 'gateway') return found
  throw new SkipCheck('BASE_URL does not lead here.')
}

/**
 * What arrived at our own listener.
 *
 * @throws SkipCheck when nothing did, or a gateway stood in its place
 */
export async function arrivedFront(
  context: Pick<DoctorContext, 'front'>,
): Promise<Front & { readonly kind: 'arrived' }> {
  const front = await frontThatAnswers(context)
  if (front.kind === 'arrived') return front
  throw new SkipCheck('A gateway runs; stop it for a moment and run coatcheck doctor again to see this.')
}
