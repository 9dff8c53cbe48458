import type { CallToolResult } from './sdk.ts'
import type { Told } from './tool.ts'

/** What a tool answers with. `notes`: what is said besides. */
export function tellClient(
  { view, text }: Told<unknown>,
  notes: readonly string[],
): CallToolResult {
  return {
    content: [{ type: 'text', text: [...notes, text].join('\n') }],
    structuredContent: view as Record<string, unknown>,
  }
}
