import { expect } from 'vitest'
import type { ErrorCode } from '../../src/errors/codes.ts'
import type { Answer } from './exchange.ts'

/** The answer is this problem, told to a fetch, and leaves the session cookie alone. */
export function expectProblem(answer: Answer, status: number, code: ErrorCode): void {
  expect({ status: answer.status, body: answer.text() }).toMatchObject({ status })
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
  expect(answer.json()).toMatchObject({ status, code })
  expect(answer.setCookies).toEqual([])
}

/** The answer is a page about this problem, and sets no session cookie. */
export function expectPage(answer: Answer, status: number, code: ErrorCode): void {
  expect({ status: answer.status, body: answer.text() }).toMatchObject({ status })
  expect(answer.headers['content-type']).toMatch(/^text\/html/)
  expect(answer.text()).toContain(code)
  expect(answer.setCookies.filter((cookie) => /^(__Host-Http-)?coatcheck(?:-desk)?=/.test(cookie))).toEqual(
    [],
  )
}
