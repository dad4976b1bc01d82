import { requirementSchema, type WrittenRequirement } from '../../routes/rules/access-keys.ts'
import { type Parser, ValueFault } from '../setting.ts'

/** `require` of the single API: the JSON form of the routes file's key. */
export const apiRequirement: Parser<WrittenRequirement> = (untrusted) => {
  const parsed = requirementSchema.safeParse(parseJson(untrusted))
  if (!parsed.success) {
    const at = parsed.error.issues[0]?.path.join('.')
    throw new ValueFault(`holds a demand that cannot be read${at ? ` (${at})` : ''}`)
  }
  if (Object.keys(parsed.data).length === 0) throw new ValueFault('demands nothing')
  return parsed.data
}

function parseJson(untrusted: string): unknown {
  try {
    return JSON.parse(untrusted)
  } catch {
    throw new ValueFault('must be a JSON object')
  }
}
