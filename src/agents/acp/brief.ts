/** What the client's side of a dialogue has to know: the file `brief` of an attempt. */
import * as z from 'zod/mini'
import { permissionModes } from '../../domain/permissions.ts'

const brief = z.object({
  directory: z.string(),
  /** What the agent is told, if its session begins here. */
  prompt: z.string(),
  /** A session to go on with, and what it is told then. */
  resume: z.nullable(z.object({ session: z.string(), prompt: z.string() })),
  permissions: z.enum(permissionModes),
  asks: z.boolean(),
  /** The way to log in that it wants to be told, if it offers that. */
  login: z.nullable(z.string()),
  /** It is the agent that confines what it runs, by the mode of its session. */
  isConfined: z.boolean(),
  /** The session's mode, if it offers that. */
  mode: z.nullable(z.string()),
  model: z.nullable(z.string()),
  effort: z.nullable(z.string()),
})

export type Brief = z.infer<typeof brief>

export const writeBrief = (content: Brief): string => JSON.stringify(content)

/** Throws on what we did not write. */
export const parseBrief = (text: string): Brief => brief.parse(JSON.parse(text))
