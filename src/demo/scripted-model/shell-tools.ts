interface ShellCall {
  readonly name: string
  readonly input: unknown
}

/** The tools that run a shell command, and how each wants to be called. */
const SHELL_TOOLS: Readonly<Record<string, (command: string) => unknown>> = {
  // Codex, newest first.
  exec_command: command => ({ cmd: command }),
  shell_command: command => ({ command }),
  shell: command => ({ command: ['bash', '-lc', command] }),
  // Claude Code.
  Bash: command => ({ command, description: DESCRIPTION }),
  // OpenCode, which wants a description, and Pi, which takes no notice of it.
  bash: command => ({ command, description: DESCRIPTION }),
  // OpenClaw.
  exec: command => ({ command }),
  // Gemini CLI.
  run_shell_command: command => ({ command }),
}

const DESCRIPTION = 'Run what the script says'

/** The call of whichever of the offered tools runs commands. */
export function shellCall(command: string, tools: readonly string[]): ShellCall {
  const name = Object.keys(SHELL_TOOLS).find(tool => tools.includes(tool))
  // An unknown tool comes back to the script as the agent's own complaint, in the next request.
  return { name: name ?? 'shell', input: SHELL_TOOLS[name ?? 'shell']?.(command) }
}
