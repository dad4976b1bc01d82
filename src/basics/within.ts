/**
 * What the work resolves to, or a failure when it takes too long; the work itself goes on.
 *
 * @param limitMs milliseconds
 */
export async function within<Result>(
  work: Promise<Result>,
  limitMs: number,
  tooLate: () => Error,
): Promise<Result> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(tooLate()), limitMs)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
