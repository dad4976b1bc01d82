import { z } from 'zod'
import { identityHeaderProblem, repeatedHeader } from './identity-headers.ts'

/** A claim's name, or a JSON Pointer to one that lies deeper (RFC 6901). */
const claim = z
  .string()
  .max(256)
  .regex(
    /^(?:[^/~\s][^\s]*|(?:\/(?:[^/~]|~[01])*)+)$/,
    'must be the name of a claim, or a pointer such as /a/b',
  )

const scalar = z.union([z.string().min(1), z.number(), z.boolean()])
const values = z.union([scalar, z.array(scalar).min(1)])

/** A year: nobody asks for a fresher login than that. */
const longestAgeSeconds = 31_536_000

const demandKeys = {
  permissions: values.describe('Values of permissions in the access token; all of them.').optional(),
  scope: values.describe('Values of scope (or scp) in the access token; all of them.').optional(),
  acr: values.describe('Authentication contexts, any one of which will do.').optional(),
  maxAge: z
    .int()
    .min(0)
    .max(longestAgeSeconds)
    .describe('Longest time since the user last proved who they are, seconds.')
    .optional(),
}

const otherClaims = values.describe(
  'Any other claim of the identity, or with access_token. before its name, of the access token.',
)

const demand = z.object(demandKeys).catchall(otherClaims)
const requirement = z
  .object({
    ...demandKeys,
    any: z.array(demand).min(1).describe('Demands of which one must be met.').optional(),
  })
  .catchall(otherClaims)

/** `require` as it is written. */
export type WrittenRequirement = z.infer<typeof requirement>
/** One demand of it. */
export type WrittenDemand = z.infer<typeof demand>
export { requirement as requirementSchema }

/** The keys of a route that say who may call it, with what token, and what they must have proved. */
export const accessKeys = {
  token: z
    .enum(['user', 'exchange', 'client', 'gateway', 'none'])
    .describe(
      "What goes upstream. user (default): the session's access token. exchange: it, exchanged. client: the gateway's own. gateway: a JWT minted here. none: nothing.",
    )
    .optional(),
  exchange: z
    .strictObject({
      profile: z
        .enum(['rfc8693', 'on-behalf-of'])
        .describe('RFC 8693 (default), or the way of Entra ID.')
        .optional(),
      requestedTokenType: z.string().min(1).describe('requested_token_type of RFC 8693.').optional(),
    })
    .describe('Only with token exchange: how.')
    .optional(),
  callers: z
    .array(z.enum(['session', 'bearer']))
    .min(1)
    .describe("Who may call: browsers with a session (default), bearers of the provider's tokens, or both.")
    .optional(),
  require: requirement
    .describe('What the caller must have, and have proved: claims, acr, maxAge, any.')
    .optional(),
  identityHeaders: z
    .record(z.string(), claim)
    .superRefine((headers, context) => {
      const names = Object.keys(headers)
      for (const name of names) {
        const problem = identityHeaderProblem(name)
        if (problem !== undefined) context.addIssue({ code: 'custom', path: [name], message: problem })
      }
      const repeated = repeatedHeader(names)
      if (repeated !== undefined)
        context.addIssue({ code: 'custom', path: [repeated], message: 'names a header twice' })
    })
    .describe('Headers for the API, written from the verified identity: name and claim.')
    .optional(),
  claims: z
    .array(claim)
    .min(1)
    .describe('Only with token gateway: claims of the identity in the minted token.')
    .optional(),
}

interface WrittenAccess {
  readonly auth?: 'required' | 'optional' | 'none' | undefined
  readonly token?: string | undefined
  readonly exchange?: unknown
  readonly callers?: readonly string[] | undefined
  readonly require?: Readonly<Record<string, unknown>> | undefined
  readonly identityHeaders?: unknown
  readonly claims?: unknown
  readonly forwardAuthorization?: boolean | undefined
}

interface Rule {
  readonly key: keyof WrittenAccess & string
  readonly isBroken: (written: WrittenAccess) => boolean
  /** The end of a sentence that begins with the key. */
  readonly problem: string
}

const withoutCaller = (key: 'callers' | 'require' | 'identityHeaders'): Rule => ({
  key,
  isBroken: (written) => written.auth === 'none' && written[key] !== undefined,
  problem: 'has no meaning with auth: none',
})

const rules: readonly Rule[] = [
  {
    key: 'token',
    isBroken: ({ auth, token }) => auth === 'none' && token !== undefined && !/^(?:client|none)$/.test(token),
    problem: 'can be only client or none with auth: none, where nobody is known',
  },
  {
    key: 'token',
    isBroken: ({ token, forwardAuthorization }) => token === 'client' && forwardAuthorization === true,
    problem: 'cannot be client beside forwardAuthorization: there is one authorization',
  },
  withoutCaller('callers'),
  withoutCaller('require'),
  withoutCaller('identityHeaders'),
  {
    key: 'exchange',
    isBroken: ({ exchange, token }) => exchange !== undefined && token !== 'exchange',
    problem: 'has a meaning only with token: exchange',
  },
  {
    key: 'claims',
    isBroken: ({ claims, token }) => claims !== undefined && token !== 'gateway',
    problem: 'has a meaning only with token: gateway',
  },
  {
    key: 'callers',
    isBroken: ({ callers = [] }) => new Set(callers).size !== callers.length,
    problem: 'holds an item twice',
  },
  {
    key: 'require',
    isBroken: ({ require }) => require !== undefined && Object.keys(require).length === 0,
    problem: 'demands nothing',
  },
]

/** What is wrong with these keys together: each a key and the end of a sentence that begins with it. */
export function accessProblems(written: WrittenAccess): readonly (readonly [key: string, problem: string])[] {
  return rules.filter(({ isBroken }) => isBroken(written)).map(({ key, problem }) => [key, problem])
}
