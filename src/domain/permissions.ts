/** How much an agent may do: nothing but read; edit and run in its worktree; everything. */
export type PermissionMode = 'read-only' | 'workspace' | 'full'

export const permissionModes = ['read-only', 'workspace', 'full'] as const

/** Who keeps the agent within its permissions. */
export type Enforcer = 'agent' | 'system' | 'none'

/** What was asked for, what holds, and who holds it. Never widened silently. */
export interface Permissions {
  readonly asked: PermissionMode
  readonly effective: PermissionMode
  readonly enforcedBy: Enforcer
}

/** The stricter of two modes. */
export function stricterMode(a: PermissionMode, b: PermissionMode): PermissionMode {
  return permissionModes.indexOf(a) <= permissionModes.indexOf(b) ? a : b
}
