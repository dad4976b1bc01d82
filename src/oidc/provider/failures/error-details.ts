import { ResponseBodyError } from 'openid-client'
import { isPlainObject } from '../../../basics/plain-object.ts'
import { textOf } from '../../../basics/text.ts'

/** What a refusal of the token endpoint says about the user's next step, besides its error code. */
export interface ErrorDetails {
  readonly error: string | undefined
  readonly status: number | undefined
  /** Entra's finer reason. */
  readonly suberror: string | undefined
  /** A `claims` request parameter (OpenID Connect Core section 5.5) with which a login would satisfy the provider; JSON text. */
  readonly claims: string | undefined
}

const none: ErrorDetails = { error: undefined, status: undefined, suberror: undefined, claims: undefined }

/** Reads the details of an error that a grant has thrown. */
export function errorDetails(error: unknown): ErrorDetails {
  if (!(error instanceof ResponseBodyError)) return none
  const { suberror, claims }: Readonly<Record<string, unknown>> = { ...error.cause }
  return {
    error: error.error,
    status: error.status,
    suberror: textOf(suberror),
    claims: readClaimsRequest(claims),
  }
}

/** Longest demand that is carried to a login, characters: it becomes a part of an address. */
const longestClaimsRequest = 1_500

/** A `claims` request parameter, as the text or object that it came as; `undefined` for what is none. */
export function readClaimsRequest(untrusted: unknown): string | undefined {
  const text = typeof untrusted === 'string' ? untrusted : JSON.stringify(untrusted ?? null)
  if (text.length > longestClaimsRequest) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isPlainObject(value) ? JSON.stringify(value) : undefined
  } catch {
    return undefined
  }
}
