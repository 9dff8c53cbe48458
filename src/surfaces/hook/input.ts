/** What Claude Code says to a hook on stdin. Read by hand: a hook may not take long to load. */

export interface HookInput {
  /** Whose hook it is: a plugin of ours. */
  readonly plugin: string
  readonly session: string
  readonly directory: string
  /** Of a subagent; null: it is the main session. */
  readonly agentId: string | null
  readonly permissionMode: string
  /** The file with the conversation; null: it is not known. */
  readonly transcript: string | null
  /** Why a session starts (`source`), or ends (`reason`). */
  readonly why: string
  readonly prompt: string
  readonly command: { readonly name: string; readonly arguments: string }
  /** Of a session that is about to stop: whether a hook has kept it from that, and what it said last. */
  readonly stop: { readonly isAgain: boolean; readonly said: string }
  /** One that is asked for, by its name; one that goes, by its path. */
  readonly worktree: { readonly name: string; readonly path: string }
  readonly tool: {
    readonly name: string
    readonly input: Readonly<Record<string, unknown>>
    /** What it has answered, as JSON; empty: nothing yet. */
    readonly response: string
  }
}

/** Undefined: it is none of Claude Code's. */
export function parseHookInput(text: string, plugin: string): HookInput | undefined {
  const said: unknown = JSON.parse(text)
  if (!isRecord(said) || typeof said.session_id !== 'string' || typeof said.cwd !== 'string') {
    return undefined
  }
  const word = (name: string) => textOf(said[name])
  return {
    plugin,
    session: said.session_id,
    directory: said.cwd,
    agentId: word('agent_id') || null,
    permissionMode: word('permission_mode'),
    transcript: word('transcript_path') || null,
    why: word('source') || word('reason'),
    prompt: word('prompt'),
    command: { name: word('command_name'), arguments: word('command_args') },
    stop: { isAgain: said.stop_hook_active === true, said: word('last_assistant_message') },
    worktree: { name: word('name'), path: word('worktree_path') },
    tool: {
      name: word('tool_name'),
      input: isRecord(said.tool_input) ? said.tool_input : {},
      response: said.tool_response === undefined ? '' : JSON.stringify(said.tool_response),
    },
  }
}

/** Empty where it is no text. */
export const textOf = (value: unknown) => (typeof value === 'string' ? value : '')

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
