import { z } from 'zod'
import { hasReservedEnding } from '../cookie-names.ts'
import { routesFileSchema } from '../routes/schema.ts'
import { hasFileForm, type Setting } from '../settings/setting.ts'
import { settingRows } from '../settings/settings.ts'

const fromEnvironment = z.strictObject({
  env: z.string().min(1).describe('The variable of the environment that holds the value.'),
})

const value = z.union([z.string(), z.number(), z.boolean(), fromEnvironment], {
  error: 'must be text, a number, or { env: NAME }',
})

/** What a setting may be in the file. */
export type WrittenValue = z.infer<typeof value>

function keysOf([name, setting]: readonly [string, Setting<unknown>]): readonly (readonly [
  string,
  z.ZodType,
])[] {
  const doc = setting.doc.replaceAll('`', '')
  const direct = [name, value.describe(doc).optional()] as const
  if (!hasFileForm(setting)) return [direct]
  return [direct, [`${name}_FILE`, z.string().min(1).describe(`A file that holds ${name}.`).optional()]]
}

const frontend = z.strictObject({
  ...Object.fromEntries(settingRows.filter(([, { scope }]) => scope === 'frontend').flatMap(keysOf)),
  routes: routesFileSchema.shape.routes
    .optional()
    .describe(
      'The routes of this frontend, written as in a routes file; instead of API_URL and ROUTES_FILE.',
    ),
})

const frontendName = z
  .string()
  .regex(
    /^[a-z][a-z0-9-]{0,31}$/,
    'must be a name of a to z, 0 to 9 and -, beginning with a letter, at most 32',
  )
  .refine(
    (untrusted) => !hasReservedEnding(`-${untrusted}`),
    'must not hold -login- or -logout-, or end in -device: cookies are named so',
  )

/** What is wrong with a frontend's name; `undefined`: nothing. The schema does not see each: `__proto__` is no member to its library. */
export function nameProblem(untrusted: string): string | undefined {
  return frontendName.safeParse(untrusted).error?.issues[0]?.message
}

/** The frontends file as it is written. Unknown keys are refused. */
export const frontendsFileSchema = z.strictObject({
  $schema: z.string().describe('For editors; not read.').optional(),
  frontends: z
    .record(frontendName, frontend)
    .refine((frontends) => Object.keys(frontends).length > 0, 'must name a frontend')
    .describe('Frontends by name; the keys of each are the names of settings.'),
})

/** The published JSON Schema (draft 2020-12) of the frontends file, for editors. */
export function frontendsFileJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(frontendsFileSchema, { io: 'input' })
  return { $schema, title: 'Coatcheck frontends file', ...rest }
}
