import type { ClaimDemand, RouteDemand, RouteRequirement } from '../../config/routes/rules/access.ts'
import type { StepUpDemand } from '../../http/login/step-up.ts'
import type { Claims } from '../../oidc/verification/claims.ts'
import { clockToleranceSeconds } from '../../oidc/verification/keys/key-set.ts'

/** What is known of a caller; all of it verified. */
export interface CallerFacts {
  readonly identity: Claims
  /** Of the access token that the caller has, before any exchange. */
  readonly accessToken: Claims
  readonly acr: string | undefined
  readonly authTimeSeconds: number | undefined
}

/** Whether a caller meets a route's demand. */
export type Verdict =
  /** Until then, epoch milliseconds; afterwards the sign-in is too old. */
  | { readonly kind: 'met'; readonly untilMs: number }
  | { readonly kind: 'step_up'; readonly demand: StepUpDemand }
  | { readonly kind: 'forbidden' }

const forbidden: Verdict = { kind: 'forbidden' }

/** Judges a caller (DESIGN-2 section 6.3): the demand itself, and one of its alternatives where there are any. */
export function judge(requirement: RouteRequirement, facts: CallerFacts, nowMs: number): Verdict {
  const own = judgeDemand(requirement, facts, nowMs)
  if (requirement.any.length === 0) return own
  const best = requirement.any.map((demand) => judgeDemand(demand, facts, nowMs)).reduce(better)
  return worse(own, best)
}

/** Claims first: a stronger sign-in brings nobody rights that they do not have. */
function judgeDemand(demand: RouteDemand, facts: CallerFacts, nowMs: number): Verdict {
  if (!demand.claims.every((each) => holds(each, facts))) return forbidden
  const { acr, maxAgeSeconds } = demand
  const isStrong = acr === undefined || (facts.acr !== undefined && acr.includes(facts.acr))
  const untilMs = freshUntilMs(facts.authTimeSeconds, maxAgeSeconds, nowMs)
  if (isStrong && nowMs < untilMs) return { kind: 'met', untilMs }
  return {
    kind: 'step_up',
    demand: {
      acrValues: acr?.join(' '),
      maxAge: maxAgeSeconds === undefined ? undefined : `${maxAgeSeconds}`,
    },
  }
}

function freshUntilMs(
  authTimeSeconds: number | undefined,
  maxAgeSeconds: number | undefined,
  nowMs: number,
): number {
  if (maxAgeSeconds === undefined) return Number.POSITIVE_INFINITY
  // A sign-in of the future would never grow old: it says nothing.
  if (authTimeSeconds === undefined || authTimeSeconds > nowMs / 1_000 + clockToleranceSeconds) return 0
  return (authTimeSeconds + maxAgeSeconds) * 1_000
}

const rank = { met: 2, step_up: 1, forbidden: 0 } as const

function better(a: Verdict, b: Verdict): Verdict {
  if (a.kind === 'met' && b.kind === 'met') return a.untilMs >= b.untilMs ? a : b
  return rank[a.kind] >= rank[b.kind] ? a : b
}

/** Of two that must both be met. */
function worse(a: Verdict, b: Verdict): Verdict {
  if (a.kind === 'met' && b.kind === 'met') return a.untilMs <= b.untilMs ? a : b
  return rank[a.kind] <= rank[b.kind] ? a : b
}

function holds({ source, claim, values }: ClaimDemand, facts: CallerFacts): boolean {
  const claims = source === 'identity' ? facts.identity : facts.accessToken
  // Entra's name for it.
  const found = valuesOf(claims[claim] ?? (claim === 'scope' ? claims.scp : undefined))
  return values.every((value) => found.has(value))
}

/** The values of a claim: a list's items, a text whole and word by word (RFC 8693 section 4.2), anything plain as its text. */
function valuesOf(claim: unknown): ReadonlySet<string> {
  if (typeof claim === 'string') return new Set([claim, ...claim.split(' ')])
  const items: readonly unknown[] = Array.isArray(claim) ? claim : [claim]
  return new Set(items.filter(isPlain).map(String))
}

function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

/** A demand in words, for those who do not meet it: what the route asks, and nothing about the caller. */
export function describeRequirement(requirement: RouteRequirement): string {
  const own = describeDemand(requirement)
  const choice = requirement.any.map(describeDemand).join(', or ')
  const asked = [own, choice === '' ? '' : `one of: ${choice}`].filter((part) => part !== '').join('; ')
  return `This address asks for ${asked}.`
}

function describeDemand({ claims, acr, maxAgeSeconds }: RouteDemand): string {
  const parts = claims.map(({ claim, values }) => `${claim} ${values.join(' and ')}`)
  if (acr !== undefined) parts.push(`acr ${acr.join(' or ')}`)
  if (maxAgeSeconds !== undefined) parts.push(`a sign-in of the last ${maxAgeSeconds} seconds`)
  return parts.join(', ')
}
