/** Somebody's sandbox around this very process, with which it ends. */
export type Sandbox =
  /** Of Codex, around each command of its agent. */
  | { readonly kind: 'codex' }
  /** Of an agent that a task of ours runs. */
  | { readonly kind: 'attempt'; readonly task: string }
  /** Of a program that is known to make them. */
  | { readonly kind: 'program'; readonly name: string }

export function describeSandbox(sandbox: Sandbox): string {
  switch (sandbox.kind) {
    case 'codex':
      return 'a sandbox of Codex'
    case 'attempt':
      return `the sandbox of the task ${sandbox.task}`
    case 'program':
      return `a sandbox of ${sandbox.name}`
  }
}

/** What to do where the state directory cannot be written from inside of a sandbox. */
export function outOfSandbox(sandbox: Sandbox, places: readonly string[]): string {
  const roots = places.map(place => JSON.stringify(place)).join(', ')
  const how =
    sandbox.kind === 'codex'
      ? `sandbox_workspace_write.writable_roots = [${roots}] in Codex's config.toml`
      : `let it write to ${roots}`
  // Codex starts the servers of its tools outside of what it puts around commands.
  const server = sandbox.kind === 'codex' ? ', or delegate with the tools of holdfast mcp' : ''
  return `run it outside${server}; or, if its agent may do all that you may: ${how}`
}
