import { isWrongType } from './health/fault.ts'

/** Told that something under one of our keys was not ours and has been replaced. */
export type ForeignValue = (kind: 'count' | 'index') => void

/** A key of ours that holds something else is as good as none: never a failure of the store. */
export async function unlessWrongType<Result, Absent>(
  work: Promise<Result>,
  absent: Absent,
): Promise<Result | Absent> {
  try {
    return await work
  } catch (error) {
    if (isWrongType(error)) return absent
    throw error
  }
}
