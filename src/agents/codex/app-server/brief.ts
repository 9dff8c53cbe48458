/** What our side of the dialogue has to know: the file `brief` of an attempt. */
import * as z from 'zod/mini'
import { permissionModes } from '../../../domain/permissions.ts'

const brief = z.object({
  /** A session to go on with; null: one begins. */
  session: z.nullable(z.string()),
  prompt: z.string(),
  /** What the task may do, and what Codex itself is to hold it to: all where the system does. */
  permissions: z.enum(permissionModes),
  sandbox: z.enum(permissionModes),
  asks: z.boolean(),
  /** Where it stands. */
  directory: z.string(),
  model: z.nullable(z.string()),
  effort: z.nullable(z.string()),
  /** A JSON Schema for its answer. */
  outputSchema: z.nullable(z.unknown()),
})

export type Brief = z.infer<typeof brief>

export const writeBrief = (content: Brief): string => JSON.stringify(content)

/** Throws on what we did not write. */
export const parseBrief = (text: string): Brief => brief.parse(JSON.parse(text))
