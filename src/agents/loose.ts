/** What agents say is read loosely: a kind or a detail that is not known costs nothing but itself. */
import * as z from 'zod/mini'

/** A detail that may be missing or of another shape: then it is not known. */
export const maybe = <Schema extends z.core.SomeType>(schema: Schema) =>
  z.catch(z.optional(schema), undefined)

/** Undefined: it is no JSON, but half a line, or what somebody else wrote. */
export function parseJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

type ReadEvent<Event> =
  | { readonly known: true; readonly event: Event }
  | { readonly known: false; readonly type: string }

const typed = z.looseObject({ type: z.string() })

/** Of a known kind and shape, or only the `type` that it bears (`malformed`: it bears none). */
export function readEvent<Schema extends z.core.$ZodType>(
  schema: Schema,
  value: unknown,
): ReadEvent<z.output<Schema>> {
  const parsed = z.safeParse(schema, value)
  if (parsed.success) return { known: true, event: parsed.data }
  return { known: false, type: typed.safeParse(value).data?.type ?? 'malformed' }
}
