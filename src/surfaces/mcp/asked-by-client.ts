/** What every tool that sets an agent to work asks of its call. */
import { AppError } from '../../domain/errors.ts'
import type { ToolCall } from './tool.ts'

/** A use of a tool that is sent again, after whatever went wrong, hands in nothing new. */
export function keyOf({ client, toolUse }: ToolCall): string | undefined {
  return toolUse === null ? undefined : `mcp:${client.name}:${toolUse}`
}

/** Full permissions: what asks for them may have been told to by anything that it has read. */
export async function refuseUnlessAllowed({ context: { holdfast } }: ToolCall): Promise<void> {
  const { user } = await holdfast.configuration(null)
  if (user.mcpFullPermissions === true) return
  throw new AppError('permissions_unavailable', 'the user does not allow full permissions here', {
    hint: `they could set "mcpFullPermissions": true in ${holdfast.home}/config.json, or do it themselves on the command line`,
  })
}
